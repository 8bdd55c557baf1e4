// SPDX-License-Identifier: Apache-2.0

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { LoginError, ProtocolError } from "../../../src/scsi/errors.ts";
import { defaultSessionWishes, Negotiation, offerParameters } from "../../../src/scsi/iscsi/negotiation.ts";

function negotiate(answers: Readonly<Record<string, string>>, wishes: Partial<typeof defaultSessionWishes> = {}) {
  const all = { ...defaultSessionWishes, ...wishes };
  const negotiation = new Negotiation(all);
  negotiation.offer(offerParameters(all, false));
  const replies = negotiation.receive(Object.entries(answers));
  return { replies, parameters: negotiation.finish() };
}

describe("the offer", () => {
  it("has every key of a normal session, and less of a discovery session", () => {
    const normal = new Map(offerParameters({ ...defaultSessionWishes, headerDigest: "prefer" }, false));
    expect(Object.fromEntries(normal)).toEqual({
      HeaderDigest: "CRC32C,None",
      DataDigest: "None",
      MaxRecvDataSegmentLength: "262144",
      DefaultTime2Wait: "2",
      DefaultTime2Retain: "0",
      ErrorRecoveryLevel: "0",
      MaxConnections: "1",
      InitialR2T: "No",
      ImmediateData: "Yes",
      MaxBurstLength: "1048576",
      FirstBurstLength: "262144",
      MaxOutstandingR2T: "8",
      DataPDUInOrder: "Yes",
      DataSequenceInOrder: "Yes",
    });
    expect(offerParameters(defaultSessionWishes, true).map(([key]) => key)).not.toContain("InitialR2T");
  });
});

describe("the result", () => {
  it("is the defaults where the target says nothing", () => {
    expect(negotiate({}).parameters).toEqual({
      headerDigest: false,
      dataDigest: false,
      initialR2t: true,
      immediateData: true,
      targetMaxRecvDataSegmentLength: 8192,
      maxBurstLength: 262144,
      firstBurstLength: 65536,
      maxOutstandingR2t: 1,
      defaultTime2Wait: 2,
      defaultTime2Retain: 20,
      targetPortalGroupTag: undefined,
      targetAlias: undefined,
    });
  });

  it("takes Yes of either for InitialR2T, of both for ImmediateData, and the smaller number", () => {
    const { parameters } = negotiate({
      InitialR2T: "No",
      ImmediateData: "No",
      MaxBurstLength: "16776192",
      FirstBurstLength: "65536",
      MaxOutstandingR2T: "1",
      MaxRecvDataSegmentLength: "0x20000",
      TargetPortalGroupTag: "3",
      HeaderDigest: "Reject",
    });
    expect(parameters).toMatchObject({
      initialR2t: false,
      immediateData: false,
      maxBurstLength: 1048576,
      firstBurstLength: 65536,
      maxOutstandingR2t: 1,
      targetMaxRecvDataSegmentLength: 131072,
      targetPortalGroupTag: 3,
    });
    expect(negotiate({ InitialR2T: "No" }, { initialR2t: true }).parameters.initialR2t).toBe(true);
  });

  it("never has a first burst that is longer than a burst", () => {
    expect(negotiate({ MaxBurstLength: "1024", FirstBurstLength: "4096" }).parameters.firstBurstLength).toBe(1024);
  });

  it("has digests as they were asked for", () => {
    const prefer = { headerDigest: "prefer", dataDigest: "require" } as const;
    const { parameters } = negotiate({ HeaderDigest: "None", DataDigest: "CRC32C" }, prefer);
    expect(parameters).toMatchObject({ headerDigest: false, dataDigest: true });
    expect(() => negotiate({ DataDigest: "None" }, prefer)).toThrow(LoginError);
    expect(() => negotiate({ DataDigest: "Reject" }, prefer)).toThrow(LoginError);
    expect(() => negotiate({ HeaderDigest: "CRC32C" })).toThrow(LoginError);
  });

  it.each([
    ["ErrorRecoveryLevel", "1"],
    ["MaxConnections", "2"],
    ["DataPDUInOrder", "No"],
    ["DataSequenceInOrder", "No"],
  ])("is none with %s=%s", (key, value) => {
    expect(() => negotiate({ [key]: value })).toThrow(LoginError);
  });

  it.each([
    ["MaxRecvDataSegmentLength", "511"],
    ["MaxBurstLength", "x"],
    ["InitialR2T", "yes"],
    ["MaxOutstandingR2T", "0"],
  ])("is none with the broken %s=%s", (key, value) => {
    expect(() => negotiate({ [key]: value })).toThrow(ProtocolError);
  });
});

describe("offers of the target", () => {
  it("are answered: with the result, or that they are not understood", () => {
    const negotiation = new Negotiation(defaultSessionWishes);
    const replies = negotiation.receive([
      ["MaxBurstLength", "4096"],
      ["InitialR2T", "No"],
      ["TargetAlias", "an array"],
      ["X-com.example.key", "1"],
    ]);
    expect(replies).toEqual([
      ["MaxBurstLength", "4096"],
      ["InitialR2T", "No"],
      ["X-com.example.key", "NotUnderstood"],
    ]);
  });

  it("come once", () => {
    const negotiation = new Negotiation(defaultSessionWishes);
    negotiation.receive([["MaxBurstLength", "4096"]]);
    expect(() => negotiation.receive([["MaxBurstLength", "8192"]])).toThrow(ProtocolError);
  });

  it("of any kind end in a result or an error of ours", () => {
    const keys = offerParameters(defaultSessionWishes, false).map(([key]) => key);
    const value = fc.oneof(fc.string(), fc.constantFrom("Yes", "No", "None", "Reject", "0", "512", "16777215"));
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.oneof(fc.constantFrom(...keys), fc.string()), value)), (pairs) => {
        const negotiation = new Negotiation(defaultSessionWishes);
        negotiation.offer(offerParameters(defaultSessionWishes, false));
        try {
          negotiation.receive(pairs);
          const { firstBurstLength, maxBurstLength } = negotiation.finish();
          expect(firstBurstLength).toBeLessThanOrEqual(maxBurstLength);
        } catch (error) {
          expect(error instanceof ProtocolError || error instanceof LoginError).toBe(true);
        }
      }),
    );
  });
});
