// SPDX-License-Identifier: Apache-2.0

/**
 * What every volume must do, whatever it is made of: the contract of src/vfs/volume.ts as test cases. A volume's test
 * file calls {@link describeVolume} and adds what is its own.
 */

import { afterEach, beforeEach, describe } from "vitest";
import type { Awaitable } from "../../src/nt/awaitable.ts";
import { dataCases } from "./contract/data.ts";
import { directoryCases } from "./contract/directories.ts";
import type { Harness, VolumeFixture } from "./contract/harness.ts";
import { metadataCases } from "./contract/metadata.ts";
import { nameCases } from "./contract/names.ts";
import { openCases } from "./contract/open.ts";
import { streamCases } from "./contract/streams.ts";

export type { VolumeFixture } from "./contract/harness.ts";

/** @param factory makes an empty, writable volume; called before every case */
export function describeVolume(name: string, factory: () => Awaitable<VolumeFixture>): void {
  describe(`${name}: contract`, () => {
    let fixture: VolumeFixture | undefined;
    const harness: Harness = {
      get volume() {
        if (fixture === undefined) throw new Error("no volume outside of a case");
        return fixture.volume;
      },
    };

    beforeEach(async () => {
      fixture = await factory();
    });

    afterEach(async () => {
      await fixture?.volume.close();
      await fixture?.dispose?.();
      fixture = undefined;
    });

    openCases(harness);
    nameCases(harness);
    dataCases(harness);
    streamCases(harness);
    metadataCases(harness);
    directoryCases(harness);
  });
}
