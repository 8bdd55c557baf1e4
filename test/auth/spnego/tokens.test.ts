// SPDX-License-Identifier: Apache-2.0

import { describe, expect, it } from "vitest";
import { decodeSpnego, encodeInit, encodeInit2, encodeResponse } from "../../../src/auth/spnego/tokens.ts";
import { SmbError } from "../../../src/nt/status.ts";
import { oid } from "../../support/ntlm-client.ts";

const hex = (text: string): Buffer => Buffer.from(text.replace(/\s/g, ""), "hex");

/** The NegTokenInit2 of MS-SPNG section 4: NEGOEX and NTLMSSP, a NEGOEX token, hints. */
const example = hex(`
  6082015d06062b0601050502a08201513082014da01a3018060a2b06010401823702021e060a2b06010401823702020a
  a28201010481fe4e45474f45585453010000000000000060000000700000 00cffa11765e12599a347d766852bfce7097458710bb8242b4
  c7dfbad2da897aa311a7d868463430952562dc13c554f20100000000000000006000000001000000000000000000000 05c33530deaf90d4d
  b2ec4ae3786ec3084e45474f455854530300000001000000400000008e000000cffa11765e12599a347d766852bfce705c33530deaf90d4d
  b2ec4ae3786ec308400000004e000000304ca04a3048302a80283026312430220603550403131b584d4c50726f766964657220496e746572
  6d65646961746520434130 1a8018301631143012060355040313 0b584d4c50726f7669646572a32a3028a0261b246e6f745f646566696e65
  645f696e5f5246433431373840706c656173655f69676e6f7265`);

describe("decodeSpnego", () => {
  it("reads the NegTokenInit2 of MS-SPNG", () => {
    const token = decodeSpnego(example);
    if (token.kind !== "init") throw new Error("not a NegTokenInit");
    expect(token.init.mechTypes).toEqual([oid.negoex, oid.ntlmssp]);
    expect(token.init.mechTypeList.toString("hex")).toBe("3018060a2b06010401823702021e060a2b06010401823702020a");
    expect(token.init.mechToken?.toString("latin1", 0, 8)).toBe("NEGOEXTS");
    expect(token.init.mechToken?.length).toBe(0xfe);
  });

  it("reads a NegTokenInit of Windows with its Kerberos identifiers", () => {
    const mechTypes = [oid.msKerberos, oid.kerberos, oid.negoex, oid.ntlmssp];
    const token = encodeInit(mechTypes, Buffer.from("token"));
    expect(token.toString("hex")).toBe(
      `604706062b0601050502a03d303ba030302e${"06092a864882f712010202"}${"06092a864886f712010202"}` +
        `${"060a2b06010401823702021e"}${"060a2b06010401823702020a"}a2070405746f6b656e`,
    );
    expect(decodeSpnego(token)).toMatchObject({ kind: "init", init: { mechTypes, mechToken: Buffer.from("token") } });
  });

  it("does not mind flags and a MIC in a NegTokenInit", () => {
    const token = hex(`602f06062b0601050502a0253023a00e300c060a2b06010401823702020a
      a10403020106 a2050403414243 a3040402aabb`);
    expect(decodeSpnego(token)).toMatchObject({ kind: "init", init: { mechToken: Buffer.from("ABC") } });
  });

  it("round-trips a NegTokenResp with every combination of fields", () => {
    for (let bits = 0; bits < 16; bits++) {
      const response = {
        negState: bits & 1 ? 3 : undefined,
        supportedMech: bits & 2 ? oid.ntlmssp : undefined,
        responseToken: bits & 4 ? Buffer.from("token") : undefined,
        mechListMic: bits & 8 ? Buffer.alloc(16, 1) : undefined,
      };
      expect(decodeSpnego(encodeResponse(response))).toEqual({ kind: "response", response });
    }
  });

  it("takes a token of more than 64 KiB in one field", () => {
    const responseToken = Buffer.alloc(70_000, 1);
    const token = decodeSpnego(encodeResponse({ responseToken }));
    expect(token.kind === "response" && token.response.responseToken?.equals(responseToken)).toBe(true);
  });

  it.each([
    ["nothing", ""],
    ["a GSS header of another mechanism", "600b06092a864886f712010202"],
    ["a GSS length that lies", "604706062b0601050502"],
    ["bytes behind the token", `${encodeInit2([oid.ntlmssp]).toString("hex")}00`],
    ["an indefinite GSS length", "608006062b0601050502"],
    ["a NegTokenInit without its GSS header", encodeInit2([oid.ntlmssp]).subarray(10).toString("hex")],
    ["a NegTokenInit without mechTypes", "600c06062b0601050502a0023000"],
    ["a NegTokenResp in a GSS header", "600c06062b0601050502a1023000"],
    ["an endless nest", "a180".repeat(2000)],
    ["a length beyond the end", "a1153013a0030a0103a10c060a2b0601"],
  ])("refuses %s", (_, token) => {
    expect(() => decodeSpnego(hex(token))).toThrow(SmbError);
  });
});
