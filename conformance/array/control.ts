// SPDX-License-Identifier: Apache-2.0
/** The switches over HTTP: JSON in, JSON out. For tests on one machine; it asks nobody who he is. */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { z } from "zod";
import type { SimulatedArray } from "./array.ts";
import type { PortalConfig } from "./config.ts";
import { ruleSchema } from "./faults.ts";
import { AsyncEvent } from "./iscsi/responses.ts";
import { AccessState } from "./scsi/command.ts";
import type { LogicalUnit } from "./scsi/unit.ts";

const maxBodyBytes = 65_536;

const byte = z.number().int().min(0).max(255);

const unitChange = z.strictObject({
  readOnly: z.boolean().optional(),
  offline: z.boolean().optional(),
  /** Bytes. */
  size: z.number().int().positive().optional(),
  /** Blocks that cannot be read or written; takes the place of the earlier list. */
  mediumErrors: z.array(z.number().int().min(0)).max(10_000).optional(),
  /** A unit attention for all initiators: ASC and ASCQ. */
  attention: z.strictObject({ code: byte, qualifier: byte }).optional(),
});

const arrayChange = z.strictObject({
  remoteTokens: z.boolean().optional(),
  expireTokens: z.literal(true).optional(),
  accessState: z
    .strictObject({
      portalGroup: z.number().int(),
      state: z.enum(Object.keys(AccessState) as [keyof typeof AccessState]),
    })
    .optional(),
  /** Takes a number away from a target, or maps it to a unit. */
  map: z.strictObject({ target: z.string(), lun: z.number().int().min(0), unit: z.string().nullable() }).optional(),
});

const sessionChange = z.strictObject({
  /** All by default. */
  initiator: z.string().optional(),
  /** Cut off, asked to log out, told that it will be cut off, or pinged. */
  action: z.enum(["drop", "request-logout", "announce-drop", "ping"]),
});

function changeUnit(array: SimulatedArray, unit: LogicalUnit, body: unknown): void {
  const change = unitChange.parse(body);
  if (change.readOnly !== undefined) unit.readOnly = change.readOnly;
  if (change.offline !== undefined) array.setOffline(unit, change.offline);
  if (change.size !== undefined) array.resize(unit, change.size);
  if (change.mediumErrors !== undefined) {
    unit.mediumErrors.clear();
    for (const lba of change.mediumErrors) unit.mediumErrors.add(lba);
  }
  if (change.attention !== undefined) array.raise(unit, { key: 6, ...change.attention });
}

function changeArray(array: SimulatedArray, body: unknown): void {
  const change = arrayChange.parse(body);
  if (change.remoteTokens !== undefined) array.copyManager.remoteTokens = change.remoteTokens;
  if (change.expireTokens === true) array.copyManager.tokens.expireAll();
  if (change.accessState !== undefined) {
    array.setAccessState(change.accessState.portalGroup, AccessState[change.accessState.state]);
  }
  if (change.map !== undefined) {
    const { target: name, lun, unit } = change.map;
    const target = array.targets.find((one) => one.name === name);
    if (target === undefined) throw new Error(`no target ${name}`);
    array.map(target, lun, unit === null ? undefined : array.unit(unit));
  }
}

function changeSessions(array: SimulatedArray, body: unknown): void {
  const { initiator, action } = sessionChange.parse(body);
  for (const { identity, connection } of array.sessions.list()) {
    if (initiator !== undefined && identity.initiatorName !== initiator) continue;
    if (action === "drop") connection.drop();
    else if (action === "ping") connection.ping();
    // Parameter 3 of LOGOUT_REQUESTED and parameters 2 and 3 of a drop are seconds (RFC 7143 11.9.1).
    else if (action === "request-logout") connection.announce(AsyncEvent.LOGOUT_REQUESTED, [0, 0, 3]);
    else connection.announce(AsyncEvent.CONNECTION_WILL_DROP, [identity.connectionId, 2, 0]);
  }
}

function stateOf(array: SimulatedArray): object {
  return {
    identity: array.identity,
    portals: array.portals.map(({ address, portalGroup, traffic: { received, sent } }) => ({
      address,
      portalGroup,
      received,
      sent,
    })),
    targets: array.targets.map(({ name, luns }) => ({
      name,
      luns: Object.fromEntries([...luns].map(([lun, unit]) => [lun, unit.options.id])),
    })),
    units: array.units.map((unit) => ({
      id: unit.options.id,
      serial: unit.serial,
      bytes: unit.medium.size,
      blockBytes: unit.medium.blockBytes,
      readOnly: unit.readOnly,
      offline: unit.offline,
      mediumErrors: [...unit.mediumErrors],
    })),
    sessions: array.sessions.list().map(({ identity, tsih, tasks, connection }) => ({
      initiator: identity.initiatorName,
      target: identity.targetName ?? null,
      tsih,
      portal: connection.localAddress,
      tasks: tasks.size,
    })),
    tokens: array.copyManager.tokens.size,
    remoteTokens: array.copyManager.remoteTokens,
    faults: array.faults.list(),
  };
}

/** Carries out one request; gives what is answered. Throws an Error for one that makes no sense. */
function route(array: SimulatedArray, method: string, path: string, body: unknown): object {
  const [first = "", ...rest] = path.split("/").filter((part) => part !== "");
  const name = rest.map(decodeURIComponent).join("/");
  switch (`${method} ${first}`) {
    case "GET ":
      return stateOf(array);
    case "POST ":
      changeArray(array, body);
      return stateOf(array);
    case "POST faults":
      return { id: array.faults.add(ruleSchema.parse(body)) };
    case "DELETE faults":
      if (name === "") array.faults.clear();
      else if (!array.faults.remove(Number(name))) throw new Error(`no rule ${name}`);
      return {};
    case "POST units":
      changeUnit(
        array,
        array.units.find(({ options }) => options.id === name || options.id === `/${name}`) ?? array.unit(name),
        body,
      );
      return {};
    case "POST sessions":
      changeSessions(array, body);
      return {};
    default:
      throw new Error(`no ${method} ${path}`);
  }
}

async function readBody(request: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request) {
    bytes += chunk.length;
    if (bytes > maxBodyBytes) throw new Error("body too long");
    chunks.push(chunk);
  }
  return bytes === 0 ? {} : JSON.parse(Buffer.concat(chunks).toString("utf8"));
}

async function answer(array: SimulatedArray, request: IncomingMessage, response: ServerResponse): Promise<void> {
  let status = 200;
  let body: object;
  try {
    const { pathname } = new URL(request.url ?? "/", "http://array");
    body = route(array, request.method ?? "GET", pathname, await readBody(request));
  } catch (error) {
    status = 400;
    body = { error: error instanceof z.ZodError ? z.prettifyError(error) : String(error) };
  }
  response.writeHead(status, { "content-type": "application/json" });
  response.end(`${JSON.stringify(body, undefined, 2)}\n`);
}

export interface Control {
  /** HOST:PORT. */
  readonly address: string;
}

/** Opens the control port; it closes with the array. */
export function startControl(array: SimulatedArray, config: PortalConfig): Promise<Control> {
  const { host = "127.0.0.1" } = config;
  const server = createServer((request, response) => {
    answer(array, request, response).catch(() => response.destroy());
  });
  array.onClose(() => {
    server.close();
    server.closeAllConnections();
  });
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(config.port, host, () => {
      const bound = server.address();
      if (bound === null || typeof bound !== "object") reject(new Error("no port"));
      else resolve({ address: `${host}:${bound.port}` });
    });
  });
}
