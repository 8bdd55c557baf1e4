// SPDX-License-Identifier: Apache-2.0

import { describe, expect, it } from "vitest";
import { AV_FLAG_MIC_PRESENT, AvId, avFlags } from "../../../src/auth/ntlm/av-pairs.ts";
import { micOf, withoutMic } from "../../../src/auth/ntlm/messages.ts";
import { hmacMd5 } from "../../../src/auth/ntlm/ntlmv2.ts";
import { serverIntegrity } from "../../../src/auth/ntlm/session-security.ts";
import { encodeResponse } from "../../../src/auth/spnego/tokens.ts";
import { recordedLogon, recordedSessions } from "../../support/smbclient-sessions.ts";

describe.each(Object.entries(recordedSessions))("the logon of smbclient, %s", (_, messages) => {
  it("has the response, the MIC and both mechListMICs that we compute", async () => {
    const logon = await recordedLogon(messages);
    expect(logon.mechTypes).toEqual(["1.3.6.1.4.1.311.2.2.10"]);
    expect(logon.decoded).toMatchObject({ userName: "nobody", domainName: "WORKGROUP" });
    expect(logon.decoded.ntResponse.subarray(0, 16)).toEqual(logon.expectedProof);
    expect(avFlags(logon.avPairs) & AV_FLAG_MIC_PRESENT).toBe(AV_FLAG_MIC_PRESENT);
    expect(logon.avPairs.find(({ id }) => id === AvId.TARGET_NAME)?.value.toString("utf16le")).toBe("cifs/127.0.0.1");
    const mic = hmacMd5(logon.exportedSessionKey, logon.negotiate, logon.challenge, withoutMic(logon.authenticate));
    expect(micOf(logon.authenticate)).toEqual(mic);

    const integrity = serverIntegrity(logon.decoded.flags, logon.exportedSessionKey);
    const clientMic = logon.clientResponse.mechListMic ?? Buffer.alloc(0);
    expect(integrity?.verify(logon.mechTypeList, clientMic)).toBe(true);
    expect(integrity?.verify(logon.mechTypeList.subarray(1), clientMic)).toBe(false);
    expect(logon.finalResponse).toMatchObject({ negState: 0, mechListMic: integrity?.sign(logon.mechTypeList) });
  });

  it("has responses that we encode byte for byte", async () => {
    const { challengeResponse, clientResponse, finalResponse } = await recordedLogon(messages);
    const whole = Buffer.concat(messages.slice(2, 6).map(({ bytes }) => bytes));
    for (const response of [challengeResponse, clientResponse, finalResponse]) {
      expect(whole.includes(encodeResponse(response))).toBe(true);
    }
  });
});
