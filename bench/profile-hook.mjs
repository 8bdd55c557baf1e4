// SPDX-License-Identifier: Apache-2.0
/**
 * Loaded into a server by `npm run bench -- --profile`: SIGUSR2 starts a CPU profile, and the next one ends it and writes it to
 * the file that TESSERA_PROFILE names.
 */
import { renameSync, writeFileSync } from "node:fs";
import { Session } from "node:inspector/promises";

const file = process.env["TESSERA_PROFILE"];
/** Microseconds. */
const INTERVAL = 200;
let session;

async function toggle() {
  if (session === undefined) {
    session = new Session();
    session.connect();
    await session.post("Profiler.enable");
    await session.post("Profiler.setSamplingInterval", { interval: INTERVAL });
    await session.post("Profiler.start");
    return;
  }
  const { profile } = await session.post("Profiler.stop");
  session.disconnect();
  session = undefined;
  // Whoever waits for the file finds it whole.
  writeFileSync(`${file}.part`, JSON.stringify(profile));
  renameSync(`${file}.part`, file);
}

if (file !== undefined) process.on("SIGUSR2", toggle);
