// SPDX-License-Identifier: Apache-2.0
/** What the machine can do: the same ciphers over a bare loopback socket, from one Node process to another. */
import { fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import { onExit } from "../conformance/lib/process.ts";
import { freePort } from "../conformance/lib/temp.ts";
import type { Limit } from "./benchmark.ts";
import type { StreamOrder, StreamReport } from "./limit-stream.ts";
import type { Protection } from "./load/protection.ts";
import type { Scale } from "./scale.ts";

const stream = fileURLToPath(new URL("./limit-stream.ts", import.meta.url));

const ciphers: Readonly<Record<Protection, string>> = {
  off: "no cipher",
  gmac: "GMAC",
  cmac: "CMAC",
  "gcm-128": "AES-128-GCM",
  "gcm-256": "AES-256-GCM",
};

export const limitName = (protection: Protection) => `loopback socket, ${ciphers[protection]}`;

/** Starts one end; `ready` settles when it waits for the other one, `report` when it is done. */
function end(order: StreamOrder) {
  const child = fork(stream);
  const release = onExit(() => child.kill("SIGKILL"));
  let ready: () => void = () => {};
  const waiting = new Promise<void>((resolve) => {
    ready = resolve;
  });
  const report = new Promise<StreamReport>((resolve, reject) => {
    child.on("message", (message: StreamReport | "ready") => (message === "ready" ? ready() : resolve(message)));
    child.once("exit", (code) => {
      release();
      reject(new Error(`an end of the loopback socket ended with ${code}`));
    });
  });
  report.catch(() => ready());
  child.send(order);
  return { waiting, report };
}

function limit(protection: Protection, scale: Scale): Limit {
  return {
    name: limitName(protection),
    unit: "MB/s",
    measure: async () => {
      const order = { port: await freePort(), protection, seconds: scale.seconds, warmUp: scale.warmUp };
      const sender = end({ ...order, role: "sender" });
      await sender.waiting;
      const receiver = end({ ...order, role: "receiver" });
      const [taken, sent] = await Promise.all([receiver.report, sender.report]);
      const foreignShare = taken.busy - taken.share - sent.share;
      const details = { receiver: taken.share, sender: sent.share };
      return { value: taken.bytes / 1e6 / taken.seconds, foreignShare, details };
    },
  };
}

/** CMAC has no form that takes a message in pieces, and no place among the limits. */
export const limits = (scale: Scale): readonly Limit[] =>
  (["off", "gmac", "gcm-128", "gcm-256"] as const).map((protection) => limit(protection, scale));
