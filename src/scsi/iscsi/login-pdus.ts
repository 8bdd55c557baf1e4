// SPDX-License-Identifier: Apache-2.0

import { flagsOf, IMMEDIATE, initiatorTaskTagOf, maxCmdSnOf, newBhs, Opcode, statSnOf } from "./bhs.ts";

/** Stages of the login phase (RFC 7143 11.12.3). */
export const LoginStage = {
  SECURITY_NEGOTIATION: 0,
  OPERATIONAL_NEGOTIATION: 1,
  FULL_FEATURE_PHASE: 3,
} as const;

export interface LoginRequest {
  /** The initiator is ready to go from `currentStage` to `nextStage`. */
  readonly transit: boolean;
  readonly currentStage: number;
  readonly nextStage: number;
  /** 6 bytes. */
  readonly isid: Buffer;
  /** 0 for a new session. */
  readonly tsih: number;
  readonly initiatorTaskTag: number;
  readonly connectionId: number;
  readonly cmdSn: number;
  readonly expStatSn: number;
  readonly dataSegmentLength: number;
}

/** Login Request (RFC 7143 11.12), of version 0, with all its text in one PDU. */
export function encodeLoginRequest(request: LoginRequest): Buffer {
  const flags = (request.transit ? 0x80 : 0) | (request.currentStage << 2) | (request.transit ? request.nextStage : 0);
  const bhs = newBhs(Opcode.LOGIN_REQUEST | IMMEDIATE, flags, request.dataSegmentLength, request.initiatorTaskTag);
  request.isid.copy(bhs, 8, 0, 6);
  bhs.writeUInt16BE(request.tsih, 14);
  bhs.writeUInt16BE(request.connectionId, 20);
  bhs.writeUInt32BE(request.cmdSn, 24);
  bhs.writeUInt32BE(request.expStatSn, 28);
  return bhs;
}

export interface LoginResponse {
  readonly transit: boolean;
  /** Text goes on in a further response. */
  readonly continued: boolean;
  readonly currentStage: number;
  readonly nextStage: number;
  readonly versionActive: number;
  readonly tsih: number;
  readonly initiatorTaskTag: number;
  readonly statSn: number;
  readonly maxCmdSn: number;
  readonly statusClass: number;
  readonly statusDetail: number;
}

/** Login Response (RFC 7143 11.13). */
export function decodeLoginResponse(bhs: Buffer): LoginResponse {
  const flags = flagsOf(bhs);
  return {
    transit: (flags & 0x80) !== 0,
    continued: (flags & 0x40) !== 0,
    currentStage: (flags >> 2) & 3,
    nextStage: flags & 3,
    versionActive: bhs[3] ?? 0,
    tsih: bhs.readUInt16BE(14),
    initiatorTaskTag: initiatorTaskTagOf(bhs),
    statSn: statSnOf(bhs),
    maxCmdSn: maxCmdSnOf(bhs),
    statusClass: bhs[36] ?? 0,
    statusDetail: bhs[37] ?? 0,
  };
}

/** Status classes of a Login Response (RFC 7143 11.13.5). */
export const LoginStatusClass = { SUCCESS: 0, REDIRECTION: 1, INITIATOR_ERROR: 2, TARGET_ERROR: 3 } as const;

const statusTexts = new Map<number, string>([
  [0x0200, "the target does not accept the login request"],
  [0x0201, "authentication failed: CHAP user name or secret is wrong, or CHAP is needed"],
  [0x0202, "this initiator may not use the target"],
  [0x0203, "there is no such target"],
  [0x0204, "the target has been removed"],
  [0x0205, "the target does not support this version of iSCSI"],
  [0x0206, "the target has too many connections"],
  [0x0207, "the target misses a parameter"],
  [0x0208, "the target cannot include the connection in the session"],
  [0x0209, "the target does not support this type of session"],
  [0x020a, "the session does not exist"],
  [0x020b, "the target does not accept this request during login"],
  [0x0300, "the target has an internal error"],
  [0x0301, "the target is not available at present"],
  [0x0302, "the target is out of resources"],
]);

/** A login status in words (RFC 7143 11.13.5). */
export function describeLoginStatus(statusClass: number, statusDetail: number): string {
  const status = statusClass * 256 + statusDetail;
  const code = `login status ${status.toString(16).padStart(4, "0")}h`;
  const text = statusTexts.get(status);
  return text === undefined ? code : `${text} (${code})`;
}
