// SPDX-License-Identifier: Apache-2.0

import { describe, expect, it } from "vitest";
import { LoginError, ProtocolError, TransportError } from "../../../src/scsi/errors.ts";
import { isLoginResult, Login, type LoginOptions, LoginRedirect } from "../../../src/scsi/iscsi/login.ts";
import { defaultSessionWishes } from "../../../src/scsi/iscsi/negotiation.ts";
import { decodeText } from "../../../src/scsi/iscsi/text.ts";
import { text } from "../../support/iscsi-target.ts";

const options: LoginOptions = {
  initiatorName: "iqn.2026-01.test:initiator",
  targetName: "iqn.2026-01.test:target",
  isid: Buffer.from("800102030405", "hex"),
  wishes: defaultSessionWishes,
  randomBytes: (size) => Buffer.alloc(size, 9),
};

/** A Login Response: flags, status, text. */
function response(flags: number, keys: Readonly<Record<string, string>> = {}, status = 0): [Buffer, Buffer] {
  const data = text(keys);
  const bhs = Buffer.alloc(48);
  bhs[0] = 0x23;
  bhs[1] = flags;
  bhs.writeUInt16BE(5, 14);
  bhs.writeUInt32BE(1000, 24);
  bhs.writeUInt32BE(0x0909090f, 32);
  bhs.writeUInt16BE(status, 36);
  return [bhs, data];
}

const SECURITY = 0x00;
const OPERATIONAL = 0x04;
/** Transit to the operational stage, and to the full feature phase. */
const TO_OPERATIONAL = 0x81;
const TO_FULL = 0x87;

function sent(step: ReturnType<Login["receive"]>): Readonly<Record<string, string>> {
  if (isLoginResult(step)) throw new Error("the login is over");
  return Object.fromEntries(decodeText(step.data));
}

describe("Login", () => {
  it("goes through both stages", () => {
    const login = new Login(options);
    const { bhs, data } = login.start();
    expect(bhs.toString("hex", 0, 32)).toBe(
      `43810000${data.length.toString(16).padStart(8, "0")}800102030405000000000000000000000909090900000000`,
    );
    expect(Object.fromEntries(decodeText(data))).toEqual({
      InitiatorName: "iqn.2026-01.test:initiator",
      SessionType: "Normal",
      TargetName: "iqn.2026-01.test:target",
      AuthMethod: "None",
    });
    const offer = login.receive(...response(TO_OPERATIONAL, { AuthMethod: "None", TargetPortalGroupTag: "2" }));
    expect(sent(offer)).toMatchObject({ InitialR2T: "No", ErrorRecoveryLevel: "0" });
    expect(isLoginResult(offer) || offer.bhs[1]).toBe(0x87);
    const result = login.receive(...response(TO_FULL, { InitialR2T: "No" }));
    expect(result).toMatchObject({ tsih: 5, cmdSn: 0x09090909, maxCmdSn: 0x0909090f, expStatSn: 1001 });
    expect(isLoginResult(result) && result.parameters).toMatchObject({ initialR2t: false, targetPortalGroupTag: 2 });
  });

  it("asks for no target in discovery", () => {
    const { data } = new Login({ ...options, targetName: undefined }).start();
    expect(Object.fromEntries(decodeText(data))).toEqual({
      InitiatorName: "iqn.2026-01.test:initiator",
      SessionType: "Discovery",
      AuthMethod: "None",
    });
  });

  it("puts text together that comes in pieces, and answers the target's offers", () => {
    const login = new Login(options);
    login.start();
    login.receive(...response(TO_OPERATIONAL));
    expect(sent(login.receive(...response(OPERATIONAL | 0x40, { InitialR2T: "No" })))).toEqual({});
    const [bhs, data] = response(OPERATIONAL, { "X-key": "1" });
    expect(sent(login.receive(bhs, data))).toEqual({ "X-key": "NotUnderstood" });
    expect(isLoginResult(login.receive(...response(TO_FULL)))).toBe(true);
  });

  it("does CHAP, and wants the target's proof where it is to give one", () => {
    const chap = {
      name: "gateway",
      secret: Buffer.from("our secret"),
      target: { name: "array", secret: Buffer.from("its secret") },
    };
    const login = new Login({ ...options, chap });
    expect(decodeText(login.start().data)).toContainEqual(["AuthMethod", "CHAP"]);
    expect(sent(login.receive(...response(SECURITY, { AuthMethod: "CHAP" })))).toEqual({ CHAP_A: "5" });
    const proof = sent(login.receive(...response(SECURITY, { CHAP_A: "5", CHAP_I: "1", CHAP_C: "0x00" })));
    expect(Object.keys(proof)).toEqual(["CHAP_N", "CHAP_R", "CHAP_I", "CHAP_C"]);
    expect(() => login.receive(...response(TO_OPERATIONAL))).toThrow("did not authenticate itself");

    const skipped = new Login({ ...options, chap });
    skipped.start();
    expect(() => skipped.receive(...response(TO_OPERATIONAL, { AuthMethod: "None" }))).toThrow(LoginError);
  });

  it("goes without CHAP where the target needs none, unless it is to prove itself", () => {
    const login = new Login({ ...options, chap: { name: "gateway", secret: Buffer.from("our secret") } });
    expect(decodeText(login.start().data)).toContainEqual(["AuthMethod", "CHAP,None"]);
    expect(sent(login.receive(...response(TO_OPERATIONAL, { AuthMethod: "None" })))).toHaveProperty("MaxBurstLength");
  });

  it.each([
    ["asks for CHAP that we do not have", response(SECURITY, { AuthMethod: "CHAP" }), LoginError],
    ["chose another method", response(SECURITY, { AuthMethod: "KRB5" }), LoginError],
    ["is in another stage", response(TO_FULL), ProtocolError],
    ["skips a stage", response(0x83), ProtocolError],
    ["leaves in the middle of its text", response(TO_OPERATIONAL | 0x40), ProtocolError],
    ["refuses us", response(0, {}, 0x0201), LoginError],
    ["is too busy", response(0, {}, 0x0302), TransportError],
    ["sends us away to nowhere", response(0, {}, 0x0101), ProtocolError],
  ])("ends where the target %s", (_name, [bhs, data], type) => {
    const login = new Login(options);
    login.start();
    expect(() => login.receive(bhs, data)).toThrow(type);
  });

  it("tells where the target is now", () => {
    const login = new Login(options);
    login.start();
    try {
      login.receive(...response(0, { TargetAddress: "[::1]:3261,4" }, 0x0102));
      expect.unreachable();
    } catch (error) {
      expect(error).toBeInstanceOf(LoginRedirect);
      expect(error).toMatchObject({ portal: { host: "::1", port: 3261 }, permanent: true });
    }
  });

  it("comes to an end with a target that never does", () => {
    const login = new Login(options);
    login.start();
    let steps = 0;
    expect(() => {
      for (; steps < 1000; steps++) login.receive(...response(SECURITY));
    }).toThrow("does not come to an end");
    expect(steps).toBeLessThan(50);
    const talker = new Login(options);
    talker.start();
    expect(() => {
      for (;;) talker.receive(...response(SECURITY | 0x40, { k: "v".repeat(8000) }));
    }).toThrow(/too much text|come to an end/);
  });
});
