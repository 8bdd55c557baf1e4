// SPDX-License-Identifier: Apache-2.0

/** Sense keys (SPC-4 4.5.6). */
export const SenseKey = {
  NO_SENSE: 0x0,
  RECOVERED_ERROR: 0x1,
  NOT_READY: 0x2,
  MEDIUM_ERROR: 0x3,
  HARDWARE_ERROR: 0x4,
  ILLEGAL_REQUEST: 0x5,
  UNIT_ATTENTION: 0x6,
  DATA_PROTECT: 0x7,
  COPY_ABORTED: 0xa,
  ABORTED_COMMAND: 0xb,
  MISCOMPARE: 0xe,
} as const;

const keyNames = new Map<number, string>(
  Object.entries(SenseKey).map(([name, value]) => [value, name.replace("_", " ")]),
);

/** What a unit says of a command that it did not complete (SPC-4 4.5). */
export interface SenseData {
  /** {@link SenseKey}. */
  readonly key: number;
  /** Additional sense code and its qualifier. */
  readonly asc: number;
  readonly ascq: number;
  /** The INFORMATION field where it is valid: the LBA, or the transfer count of a truncated copy. */
  readonly information: bigint | undefined;
  /** True for an error of an earlier command (response codes 71h and 73h). */
  readonly deferred: boolean;
}

/** Names of the codes that administrators meet. */
const codeNames = new Map<number, string>([
  [0x0016, "operation in progress"],
  [0x0401, "becoming ready"],
  [0x040a, "asymmetric access state transition"],
  [0x040b, "target port in standby state"],
  [0x040c, "target port in unavailable state"],
  [0x0804, "unreachable copy target"],
  [0x0d04, "copy target device data underrun"],
  [0x1a00, "parameter list length error"],
  [0x2000, "invalid command operation code"],
  [0x2100, "LBA out of range"],
  [0x2300, "invalid token operation, cause not reportable"],
  [0x2301, "invalid token operation, unsupported token type"],
  [0x2302, "invalid token operation, remote token usage not supported"],
  [0x2303, "invalid token operation, remote ROD token creation not supported"],
  [0x2304, "invalid token operation, token unknown"],
  [0x2305, "invalid token operation, token corrupt"],
  [0x2306, "invalid token operation, token revoked"],
  [0x2307, "invalid token operation, token expired"],
  [0x2308, "invalid token operation, token cancelled"],
  [0x2309, "invalid token operation, token deleted"],
  [0x230a, "invalid token operation, invalid token length"],
  [0x2400, "invalid field in CDB"],
  [0x2500, "logical unit not supported"],
  [0x2600, "invalid field in parameter list"],
  [0x2608, "too many segment descriptors"],
  [0x2700, "write protected"],
  [0x2707, "space allocation failed write protect"],
  [0x2900, "power on, reset, or bus device reset occurred"],
  [0x2a01, "mode parameters changed"],
  [0x2a06, "asymmetric access state changed"],
  [0x2a09, "capacity data has changed"],
  [0x3f0e, "reported LUNs data has changed"],
  [0x3f03, "inquiry data has changed"],
  [0x5503, "insufficient resources"],
  [0x550c, "insufficient resources to create ROD"],
  [0x550d, "insufficient resources to create ROD token"],
]);

const hex = (value: number) => value.toString(16).padStart(2, "0");

/** `ILLEGAL REQUEST 5/23h/04h, invalid token operation, token unknown`. */
export function describeSense({ key, asc, ascq }: SenseData): string {
  const name = codeNames.get(asc * 256 + ascq) ?? codeNames.get(asc * 256);
  const code = `${keyNames.get(key) ?? "sense key"} ${key.toString(16)}/${hex(asc)}h/${hex(ascq)}h`;
  return name === undefined ? code : `${code}, ${name}`;
}

/**
 * Decodes sense data in fixed (70h, 71h) or descriptor format (72h, 73h) (SPC-4 4.5.2, 4.5.3). A unit may cut them short; what
 * is missing counts as 0.
 * @returns undefined where there are none, or of a format that SPC-4 does not know
 */
export function decodeSense(data: Buffer): SenseData | undefined {
  const responseCode = (data[0] ?? 0) & 0x7f;
  const deferred = (responseCode & 1) === 1;
  if (responseCode === 0x70 || responseCode === 0x71) {
    const informationValid = ((data[0] ?? 0) & 0x80) !== 0 && data.length >= 7;
    return {
      key: (data[2] ?? 0) & 0x0f,
      asc: data[12] ?? 0,
      ascq: data[13] ?? 0,
      information: informationValid ? BigInt(data.readUInt32BE(3)) : undefined,
      deferred,
    };
  }
  if (responseCode === 0x72 || responseCode === 0x73) {
    return {
      key: (data[1] ?? 0) & 0x0f,
      asc: data[2] ?? 0,
      ascq: data[3] ?? 0,
      information: descriptorInformation(data),
      deferred,
    };
  }
  return undefined;
}

/** The information sense data descriptor, type 00h (SPC-4 4.5.2.2), where it is there and valid. */
function descriptorInformation(data: Buffer): bigint | undefined {
  const end = Math.min(data.length, 8 + (data[7] ?? 0));
  for (let at = 8; at + 2 <= end; at += 2 + (data[at + 1] ?? 0)) {
    if (data[at] !== 0x00 || data[at + 1] !== 0x0a || at + 12 > end) continue;
    return ((data[at + 2] ?? 0) & 0x80) === 0 ? undefined : data.readBigUInt64BE(at + 4);
  }
  return undefined;
}
