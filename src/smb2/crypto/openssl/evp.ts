// SPDX-License-Identifier: Apache-2.0

/**
 * The EVP functions of the OpenSSL that node:crypto uses too, in the same process. node:crypto makes an object for each message and a
 * new buffer for each result; called directly, one context serves all messages of all keys, and data are worked on where
 * they lie: a short message costs a tenth, a long one an eighth.
 *
 * Contexts belong to the module and live for ever. Each use sets key and nonce anew. Nothing waits between that and the end of
 * the message, or the message has a context for itself ({@link Contexts}), so that two cannot meet in one.
 */

import { addressOf, bind, type NativeFunction, onWorker, scratch } from "../../../native/ffi.ts";

/** EVP_CTRL_AEAD_SET_IVLEN, _GET_TAG, _SET_TAG of <openssl/evp.h>. */
export const Control = { SET_IVLEN: 0x9, GET_TAG: 0x10, SET_TAG: 0x11 } as const;

/** OSSL_PARAM_UTF8_STRING of <openssl/core.h>. */
const PARAM_UTF8_STRING = 4;
/** Bytes of an OSSL_PARAM: key, data_type, data, data_size, return_size. */
const PARAM_SIZE = 40;

function load() {
  return {
    fetchCipher: bind<[number, number, number]>("EVP_CIPHER_fetch", "address", ["address", "address", "address"]),
    newCipherContext: bind<[]>("EVP_CIPHER_CTX_new", "address", []),
    control: bind<[number, number, number, number]>("EVP_CIPHER_CTX_ctrl", "int", ["address", "int", "int", "address"]),
    encryptInit: bind<[number, number, number, number, number]>("EVP_EncryptInit_ex", "int", [
      "address",
      "address",
      "address",
      "address",
      "address",
    ]),
    encryptUpdate: bind<[number, number, number, number, number]>("EVP_EncryptUpdate", "int", [
      "address",
      "address",
      "address",
      "address",
      "int",
    ]),
    encryptFinal: bind<[number, number, number]>("EVP_EncryptFinal_ex", "int", ["address", "address", "address"]),
    decryptInit: bind<[number, number, number, number, number]>("EVP_DecryptInit_ex", "int", [
      "address",
      "address",
      "address",
      "address",
      "address",
    ]),
    decryptUpdate: bind<[number, number, number, number, number]>("EVP_DecryptUpdate", "int", [
      "address",
      "address",
      "address",
      "address",
      "int",
    ]),
    decryptFinal: bind<[number, number, number]>("EVP_DecryptFinal_ex", "int", ["address", "address", "address"]),
    fetchMac: bind<[number, number, number]>("EVP_MAC_fetch", "address", ["address", "address", "address"]),
    newMacContext: bind<[number]>("EVP_MAC_CTX_new", "address", ["address"]),
    macInit: bind<[number, number, number, number]>("EVP_MAC_init", "int", ["address", "address", "int64", "address"]),
    macUpdate: bind<[number, number, number]>("EVP_MAC_update", "int", ["address", "address", "int64"]),
    macFinal: bind<[number, number, number, number]>("EVP_MAC_final", "int", [
      "address",
      "address",
      "address",
      "int64",
    ]),
    clearErrors: bind<[]>("ERR_clear_error", "int", []),
  };
}

export type Evp = ReturnType<typeof load>;

/** `undefined` where the process does not show these functions: a Node built in an uncommon way, or another library in OpenSSL's place. */
export const evp: Evp | undefined = tryTo(load);

function tryTo<T>(make: () => T): T | undefined {
  try {
    return make();
  } catch {
    return undefined;
  }
}

/** A C string, for as long as the buffer is referenced. */
function cString(text: string): Buffer {
  const string = Buffer.allocUnsafeSlow(text.length + 1);
  string.write(`${text}\0`, "latin1");
  return string;
}

/** Numbers of bytes that the functions report, which are of no interest: nothing here produces more or less than it was given. */
export const ignored = scratch(16).address;

/** A failure that is no wrong tag: of memory, or of ours. @throws Error */
export function must(result: number | bigint, what: string): void {
  if (Number(result) <= 0) throw new Error(`OpenSSL: ${what} failed`);
}

/** A context for encrypting or decrypting with a cipher; `undefined` where OpenSSL does not have it. */
export function cipherContext(evp: Evp, name: string, encrypts: boolean): number | undefined {
  const nameOfCipher = cString(name);
  const cipher = Number(evp.fetchCipher(0, addressOf(nameOfCipher), 0));
  const context = cipher === 0 ? 0 : Number(evp.newCipherContext());
  if (context === 0) {
    evp.clearErrors();
    return undefined;
  }
  const init = encrypts ? evp.encryptInit : evp.decryptInit;
  must(init(context, cipher, 0, 0, 0), `setting up ${name}`);
  return context;
}

/**
 * A context for a message authentication code; `undefined` where OpenSSL does not have it.
 * @param parameter the cipher or digest to build it from, such as `cipher: AES-128-CBC`
 */
export function macContext(
  evp: Evp,
  name: string,
  parameter: { readonly name: string; readonly value: string },
  keyLength: number,
): number | undefined {
  const strings = [name, parameter.name, parameter.value].map(cString);
  const [nameOfMac = 0, nameOfParameter = 0, value = 0] = strings.map(addressOf);
  const mac = Number(evp.fetchMac(0, nameOfMac, 0));
  const context = mac === 0 ? 0 : Number(evp.newMacContext(mac));
  if (context === 0) {
    evp.clearErrors();
    return undefined;
  }
  // One parameter, and the all-zero one that ends the list.
  const parameters = Buffer.alloc(2 * PARAM_SIZE);
  parameters.writeBigUInt64LE(BigInt(nameOfParameter), 0);
  parameters.writeUInt32LE(PARAM_UTF8_STRING, 8);
  parameters.writeBigUInt64LE(BigInt(value), 16);
  parameters.writeBigUInt64LE(BigInt(parameter.value.length), 24);
  const key = Buffer.alloc(keyLength);
  must(evp.macInit(context, addressOf(key), keyLength, addressOf(parameters)), `setting up ${name}`);
  return context;
}

/** Bytes; a shorter piece of a message is done before a worker has heard of it. */
const WORTH_A_WORKER = 32 * 1024;

/** One step of a message, on a worker thread where its data are long. `data` stay referenced until it is done. */
export async function step<A extends readonly (number | bigint)[]>(
  call: NativeFunction<A>,
  args: A,
  data: Buffer,
): Promise<number> {
  return data.length < WORTH_A_WORKER ? Number(call(...args)) : onWorker(call, args, data);
}

/** Contexts of one kind: one for what is done at once, and one for each message that a worker is busy with. */
export class Contexts {
  readonly #make: (evp: Evp) => number | undefined;
  readonly #spare: number[] = [];
  #main: number | null | undefined;

  constructor(make: (evp: Evp) => number | undefined) {
    this.#make = make;
  }

  /** The context for what is done at once; `undefined` where OpenSSL has none of this kind. */
  get main(): number | undefined {
    if (this.#main === undefined) this.#main = this.#another() ?? null;
    return this.#main ?? undefined;
  }

  /** Lends a context to a message that takes more than one turn. */
  async lend<T>(use: (context: number) => Promise<T>): Promise<T> {
    const context = this.#spare.pop() ?? this.#another();
    if (context === undefined) throw new Error("OpenSSL: no memory for a context");
    const result = await use(context);
    // Not after a failure: who knows what is still being done with it.
    this.#spare.push(context);
    return result;
  }

  #another(): number | undefined {
    return evp === undefined ? undefined : this.#make(evp);
  }
}
