// SPDX-License-Identifier: Apache-2.0

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { chapResponse } from "../../../conformance/array/iscsi/chap.ts";
import { DataOutTransfer, TransferError } from "../../../conformance/array/iscsi/data-out.ts";
import { digestOf } from "../../../conformance/array/iscsi/digest.ts";
import { defaultIscsiOptions, defaultParameters, Negotiation } from "../../../conformance/array/iscsi/parameters.ts";
import { ConnectionError, type Pdu } from "../../../conformance/array/iscsi/pdu.ts";
import { PduReader } from "../../../conformance/array/iscsi/pdu-reader.ts";
import {
  asyncMessage,
  dataIn,
  readyToTransfer,
  residualOf,
  scsiResponse,
} from "../../../conformance/array/iscsi/responses.ts";
import { decodeBinary, decodeNumber, decodeText, encodeText } from "../../../conformance/array/iscsi/text.ts";
import { decodeLun, encodeLun } from "../../../conformance/array/scsi/lun.ts";
import { encodeDescriptorSense, encodeFixedSense } from "../../../conformance/array/scsi/sense.ts";

describe("digests", () => {
  it("give the examples of RFC 7143 appendix B.4", () => {
    expect(digestOf(Buffer.alloc(32)).toString("hex")).toBe("aa36918a");
    expect(digestOf(Buffer.alloc(32, 0xff)).toString("hex")).toBe("43aba862");
    const rising = Buffer.from(Array.from({ length: 32 }, (_, index) => index));
    expect(digestOf(rising).toString("hex")).toBe("4e79dd46");
    expect(digestOf(rising.subarray(0, 7), rising.subarray(7)).toString("hex")).toBe("4e79dd46");
  });
});

function pdu(opcode: number, data: Buffer, digests: boolean): Buffer {
  const header = Buffer.alloc(48);
  header.writeUInt8(opcode, 0);
  header.writeUIntBE(data.length, 5, 3);
  const padded = Buffer.concat([data, Buffer.alloc(-data.length & 3)]);
  if (!digests) return Buffer.concat([header, padded]);
  return Buffer.concat([header, digestOf(header), padded, data.length > 0 ? digestOf(padded) : Buffer.alloc(0)]);
}

describe("the PDU reader", () => {
  it("finds the same PDUs however the stream is cut", () => {
    const bodies = fc.array(fc.uint8Array({ maxLength: 300 }), { minLength: 1, maxLength: 6 });
    fc.assert(
      fc.property(
        bodies,
        fc.boolean(),
        fc.array(fc.nat(200), { minLength: 1, maxLength: 40 }),
        (datas, digests, cuts) => {
          const reader = new PduReader(8192);
          reader.headerDigest = digests;
          reader.dataDigest = digests;
          const stream = Buffer.concat(datas.map((data) => pdu(0x01, Buffer.from(data), digests)));
          const found: Buffer[] = [];
          for (let at = 0, cut = 0; at < stream.length; cut += 1) {
            const size = 1 + (cuts[cut % cuts.length] ?? 0);
            reader.push(stream.subarray(at, at + size), (one) => {
              expect(one.dataIntact).toBe(true);
              found.push(Buffer.from(one.data));
            });
            at += size;
          }
          expect(found.map((data) => data.toString("hex"))).toEqual(
            datas.map((data) => Buffer.from(data).toString("hex")),
          );
        },
      ),
    );
  });

  it("ends the connection at a wrong header digest and marks wrong data", () => {
    const reader = new PduReader(8192);
    reader.headerDigest = true;
    reader.dataDigest = true;
    const stream = pdu(0x01, Buffer.from("data"), true);
    stream.writeUInt8(0x21, 52);
    const found: Pdu[] = [];
    reader.push(stream, (one) => found.push(one));
    expect(found.map((one) => one.dataIntact)).toEqual([false]);
    const broken = pdu(0x01, Buffer.alloc(0), true);
    broken.writeUInt8(0x77, 8);
    expect(() => reader.push(broken, () => {})).toThrow(ConnectionError);
  });

  it("refuses a data segment that is longer than was declared", () => {
    expect(() => new PduReader(512).push(pdu(0x05, Buffer.alloc(513), false), () => {})).toThrow(ConnectionError);
  });
});

describe("texts", () => {
  it("keep keys in order and read numbers and binary values", () => {
    expect([...decodeText(Buffer.from("A=1\0B=x=y\0\0"))]).toEqual([
      ["A", "1"],
      ["B", "x=y"],
    ]);
    expect(encodeText([["TargetName", "iqn.x:a"]]).toString("hex")).toBe("5461726765744e616d653d69716e2e783a6100");
    expect(() => decodeText(Buffer.from("nothing\0"))).toThrow(ConnectionError);
    expect(decodeNumber("0x1F")).toBe(31);
    expect(decodeNumber("-1")).toBeUndefined();
    expect(decodeNumber("1e3")).toBeUndefined();
    expect(decodeBinary("0xabc")?.toString("hex")).toBe("0abc");
    expect(decodeBinary("0bAQI=")?.toString("hex")).toBe("0102");
    expect(decodeBinary("abc")).toBeUndefined();
  });
});

describe("the negotiation", () => {
  const make = (options = {}) => new Negotiation({ ...defaultIscsiOptions, ...options }, false);

  it("takes the smaller, the stricter, the common", () => {
    const one = make({ maxBurstLength: 65_536, initialR2T: false, immediateData: false });
    expect(one.answer("MaxBurstLength", "1048576")).toBe("65536");
    expect(one.answer("FirstBurstLength", "0x200")).toBe("512");
    expect(one.answer("InitialR2T", "No")).toBe("No");
    expect(one.answer("ImmediateData", "Yes")).toBe("No");
    expect(one.answer("HeaderDigest", "CRC32C,None")).toBe("CRC32C");
    expect(one.answer("MaxConnections", "8")).toBe("1");
    expect(one.answer("ErrorRecoveryLevel", "2")).toBe("0");
    expect(one.answer("DataPDUInOrder", "No")).toBe("Yes");
    expect(one.answer("MaxRecvDataSegmentLength", "1024")).toBeUndefined();
    expect(one.parameters).toMatchObject({
      maxBurstLength: 65_536,
      firstBurstLength: 512,
      initialR2T: false,
      immediateData: false,
      headerDigest: true,
      sendDataSegmentLength: 1024,
    });
  });

  it("refuses values that do not exist and does not know foreign keys", () => {
    const one = make();
    expect(one.answer("MaxBurstLength", "511")).toBe("Reject");
    expect(one.answer("InitialR2T", "Maybe")).toBe("Reject");
    expect(one.answer("DataDigest", "MD5")).toBe("Reject");
    expect(one.answer("X-com.example.Speed", "fast")).toBe("NotUnderstood");
    expect(one.parameters).toEqual(defaultParameters());
  });

  it("brings up what the initiator left out where the default would be too much", () => {
    const one = make({ maxBurstLength: 4096, firstBurstLength: 1024 });
    one.answer("FirstBurstLength", "65536");
    expect(one.offers()).toEqual([["MaxBurstLength", "4096"]]);
    expect(one.pending).toBe(true);
    expect(one.answer("MaxBurstLength", "2048")).toBeUndefined();
    expect(one.pending).toBe(false);
    expect(one.parameters.maxBurstLength).toBe(2048);
  });
});

it("a CHAP response is MD5 of identifier, secret and challenge", () => {
  // RFC 1994 4.1, computed with `printf '\x01secret\xde\xad\xbe\xef' | md5sum`.
  expect(chapResponse("md5", 1, "secret", Buffer.from("deadbeef", "hex")).toString("hex")).toBe(
    "816e5cad18ced100f1b4bc86d990f6bc",
  );
});

describe("PDUs of the target", () => {
  it("have their fields in their places", () => {
    expect(scsiResponse(0x11223344, 2, residualOf(1024, 550), 3).toString("hex")).toBe(
      "218200020000000000000000000000001122334400000000000000000000000000000000000000030000000000000" + "1da",
    );
    const last = dataIn({
      taskTag: 7,
      lun: Buffer.alloc(8),
      dataSN: 1,
      offset: 8192,
      final: true,
      status: { code: 0, residual: { flag: 0, count: 0 } },
    });
    expect(last.toString("hex")).toBe(
      "258100000000000000000000000000000000000" + "7ffffffff00000000000000000000000000000001000020000000" + "0000",
    );
    const r2t = readyToTransfer(
      7,
      Buffer.from("0001000000000000", "hex"),
      { transferTag: 9, r2tSN: 2, offset: 65_536, length: 4096 },
      5,
    );
    expect(r2t.toString("hex")).toBe(
      "31800000000000000001000000000000" + "0000000700000009000000050000000000000000" + "000000020001000000001000",
    );
    expect(asyncMessage(1, [0, 0, 3]).toString("hex")).toBe(
      `32800000000000000000000000000000ffffffff${"00000000".repeat(4)}010000000000000300000000`,
    );
  });
});

describe("the data of a write", () => {
  const dataOut = (
    tag: number,
    serial: number,
    offset: number,
    data: Buffer,
    final: boolean,
    dataIntact = true,
  ): Pdu => {
    const header = Buffer.alloc(48);
    header.writeUInt8(final ? 0x80 : 0, 1);
    header.writeUInt32BE(tag, 20);
    header.writeUInt32BE(serial, 36);
    header.writeUInt32BE(offset, 40);
    return { header, additionalHeader: Buffer.alloc(0), data, placed: false, dataIntact };
  };
  const make = (wanted: number, expected: number, change = {}) => {
    const r2ts: { transferTag: number; offset: number; length: number }[] = [];
    let tag = 0;
    const parameters = {
      ...defaultParameters(),
      initialR2T: false,
      firstBurstLength: 1024,
      maxBurstLength: 2048,
      ...change,
    };
    const transfer = new DataOutTransfer(
      wanted,
      expected,
      parameters,
      () => (tag += 1),
      (r2t) => r2ts.push(r2t),
    );
    return { transfer, r2ts };
  };

  it("comes with the command, then unsolicited, then by R2Ts in bursts", () => {
    const { transfer, r2ts } = make(5000, 5000, { maxOutstandingR2T: 2 });
    const source = Buffer.from(Array.from({ length: 5000 }, (_, index) => index & 0xff));
    expect(transfer.begin(source.subarray(0, 512), false)).toBeUndefined();
    expect(r2ts).toEqual([]);
    expect(transfer.receive(dataOut(0xffffffff, 0, 512, source.subarray(512, 1024), true))).toBeUndefined();
    expect(r2ts.map(({ offset, length }) => [offset, length])).toEqual([
      [1024, 2048],
      [3072, 1928],
    ]);
    expect(transfer.receive(dataOut(2, 0, 3072, source.subarray(3072), true))).toBeUndefined();
    expect(transfer.complete).toBe(false);
    expect(transfer.receive(dataOut(1, 0, 1024, source.subarray(1024, 2000), false))).toBeUndefined();
    expect(transfer.receive(dataOut(1, 1, 2000, source.subarray(2000, 3072), true))).toBeUndefined();
    expect(transfer.complete).toBe(true);
    expect(transfer.buffer.equals(source)).toBe(true);
  });

  it("beyond what the command wants is not asked for", () => {
    const { transfer, r2ts } = make(512, 4096);
    transfer.begin(Buffer.alloc(1024, 1), true);
    expect(transfer.complete).toBe(true);
    expect(transfer.buffer).toHaveLength(512);
    expect(r2ts).toEqual([]);
  });

  it("that breaks the rules ends the command", () => {
    expect(make(1024, 1024, { immediateData: false }).transfer.begin(Buffer.alloc(1), true)).toBe(
      TransferError.UNEXPECTED_UNSOLICITED_DATA,
    );
    expect(make(1024, 1024, { initialR2T: true }).transfer.begin(Buffer.alloc(0), false)).toBe(
      TransferError.UNEXPECTED_UNSOLICITED_DATA,
    );
    expect(make(4096, 4096).transfer.begin(Buffer.alloc(1025), true)).toBe(TransferError.INCORRECT_AMOUNT_OF_DATA);
    const cases: [Pdu, unknown][] = [
      [dataOut(1, 1, 0, Buffer.alloc(512), false), TransferError.PROTOCOL_SERVICE_CRC_ERROR],
      [dataOut(1, 0, 512, Buffer.alloc(512), false), TransferError.INCORRECT_AMOUNT_OF_DATA],
      [dataOut(1, 0, 0, Buffer.alloc(512), true), TransferError.INCORRECT_AMOUNT_OF_DATA],
      [dataOut(1, 0, 0, Buffer.alloc(1025), true), TransferError.INCORRECT_AMOUNT_OF_DATA],
      [dataOut(9, 0, 0, Buffer.alloc(512), false), TransferError.UNEXPECTED_UNSOLICITED_DATA],
      [dataOut(1, 0, 0, Buffer.alloc(1024), true, false), TransferError.PROTOCOL_SERVICE_CRC_ERROR],
    ];
    for (const [one, fault] of cases) {
      const { transfer } = make(1024, 1024);
      expect(transfer.begin(Buffer.alloc(0), true)).toBeUndefined();
      expect(transfer.receive(one)).toBe(fault);
    }
  });
});

describe("logical unit numbers", () => {
  it("have three forms", () => {
    expect(encodeLun(5).toString("hex")).toBe("0005000000000000");
    expect(encodeLun(300).toString("hex")).toBe("412c000000000000");
    expect(encodeLun(0x12345).toString("hex")).toBe("d201234500000000");
    for (const lun of [0, 255, 256, 0x3fff, 0x4000, 0xffffff]) expect(decodeLun(encodeLun(lun))).toBe(lun);
    expect(decodeLun(Buffer.from("c101000000000000", "hex"))).toBe("report-luns");
    expect(decodeLun(Buffer.from("0105000000000000", "hex"))).toBeUndefined();
    expect(decodeLun(Buffer.from("0005000000000001", "hex"))).toBeUndefined();
  });
});

it("sense data has both formats", () => {
  const found = { key: 0xa, code: 0x0d, qualifier: 0x04, information: 0x1234, field: { inCdb: true, byte: 2 } };
  expect(encodeFixedSense(found).toString("hex")).toBe("f0000a000012340a000000000d0400c00002");
  expect(encodeDescriptorSense(found).toString("hex")).toBe(
    "720a0d0400000014" + "000a80000000000000001234" + "02060000c0000200",
  );
});
