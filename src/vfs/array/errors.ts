// SPDX-License-Identifier: Apache-2.0

/** The LUNs or the catalogue are not what they have to be; the message is for the administrator. */
export class ArrayVolumeError extends Error {
  constructor(message: string) {
    super(message);
    this.name = "ArrayVolumeError";
  }
}
