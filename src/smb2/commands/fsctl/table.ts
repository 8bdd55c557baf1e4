// SPDX-License-Identifier: Apache-2.0

import { Access } from "../../../nt/access-mask.ts";
import { NETWORK_RESILIENCY_REQUEST_SIZE } from "../../wire/fscc/network-resiliency.ts";
import { Fsctl } from "../../wire/fsctl.ts";
import { getCompression, setCompression } from "./compression.ts";
import { srvCopychunk, srvRequestResumeKey } from "./copychunk.ts";
import { duplicateExtents, duplicateExtentsEx } from "./duplicate-extents.ts";
import { queryFileRegions } from "./file-regions.ts";
import type { FsctlRow } from "./fsctl.ts";
import { getIntegrityInformation, setIntegrityInformation, setIntegrityInformationEx } from "./integrity.ts";
import { queryNetworkInterfaceInfo } from "./network-interface.ts";
import { getObjectId } from "./object-id.ts";
import { offloadRead, offloadWrite } from "./offload.ts";
import { pipePeek, pipeTransceive, pipeWait } from "./pipe.ts";
import { requestResiliency } from "./resiliency.ts";
import { enumerateSnapshots } from "./snapshots.ts";
import { fileLevelTrim, queryAllocatedRanges, setSparse, setZeroData } from "./sparse.ts";
import { validateNegotiateInfo } from "./validate-negotiate.ts";

const WRITE_OR_APPEND = Access.WRITE_DATA | Access.APPEND_DATA;

/** Every control code that the server knows. One that is missing is refused with NOT_SUPPORTED or INVALID_DEVICE_REQUEST. */
export const fsctlTable: ReadonlyMap<number, FsctlRow> = new Map<number, FsctlRow>([
  // What is too short ends a connection of 3.1.1 as well: the handler judges it.
  [Fsctl.VALIDATE_NEGOTIATE_INFO, { name: "VALIDATE_NEGOTIATE_INFO", target: "none", handle: validateNegotiateInfo }],
  [
    Fsctl.QUERY_NETWORK_INTERFACE_INFO,
    { name: "QUERY_NETWORK_INTERFACE_INFO", target: "none", handle: queryNetworkInterfaceInfo },
  ],
  [
    Fsctl.LMR_REQUEST_RESILIENCY,
    {
      name: "LMR_REQUEST_RESILIENCY",
      target: "file",
      minimumInput: NETWORK_RESILIENCY_REQUEST_SIZE,
      handle: requestResiliency,
    },
  ],
  [Fsctl.PIPE_WAIT, { name: "PIPE_WAIT", target: "none", minimumInput: 14, handle: pipeWait }],
  [Fsctl.PIPE_TRANSCEIVE, { name: "PIPE_TRANSCEIVE", target: "pipe", handle: pipeTransceive }],
  [Fsctl.PIPE_PEEK, { name: "PIPE_PEEK", target: "pipe", handle: pipePeek }],
  [
    Fsctl.SRV_REQUEST_RESUME_KEY,
    {
      name: "SRV_REQUEST_RESUME_KEY",
      target: "file",
      copy: "copychunk",
      minimumOutput: 32,
      handle: srvRequestResumeKey,
    },
  ],
  [
    Fsctl.SRV_COPYCHUNK,
    {
      name: "SRV_COPYCHUNK",
      target: "any",
      copy: "copychunk",
      handle: (request, ioctl) => srvCopychunk(request, ioctl, true),
    },
  ],
  [
    Fsctl.SRV_COPYCHUNK_WRITE,
    {
      name: "SRV_COPYCHUNK_WRITE",
      target: "any",
      copy: "copychunk",
      handle: (request, ioctl) => srvCopychunk(request, ioctl, false),
    },
  ],
  [
    Fsctl.SET_SPARSE,
    {
      name: "SET_SPARSE",
      target: "file",
      anyAccess: WRITE_OR_APPEND | Access.WRITE_ATTRIBUTES,
      handle: setSparse,
    },
  ],
  [Fsctl.SET_ZERO_DATA, { name: "SET_ZERO_DATA", target: "file", access: Access.WRITE_DATA, handle: setZeroData }],
  [
    Fsctl.QUERY_ALLOCATED_RANGES,
    { name: "QUERY_ALLOCATED_RANGES", target: "file", access: Access.READ_DATA, handle: queryAllocatedRanges },
  ],
  [
    Fsctl.FILE_LEVEL_TRIM,
    { name: "FILE_LEVEL_TRIM", target: "file", access: Access.WRITE_DATA, handle: fileLevelTrim },
  ],
  [
    Fsctl.DUPLICATE_EXTENTS_TO_FILE,
    {
      name: "DUPLICATE_EXTENTS_TO_FILE",
      target: "file",
      copy: "clone",
      minimumInput: 40,
      access: Access.WRITE_DATA,
      handle: duplicateExtents,
    },
  ],
  [
    Fsctl.DUPLICATE_EXTENTS_TO_FILE_EX,
    {
      name: "DUPLICATE_EXTENTS_TO_FILE_EX",
      target: "file",
      copy: "clone",
      minimumInput: 56,
      access: Access.WRITE_DATA,
      handle: duplicateExtentsEx,
    },
  ],
  [
    Fsctl.OFFLOAD_READ,
    { name: "OFFLOAD_READ", target: "file", copy: "odx", access: Access.READ_DATA, handle: offloadRead },
  ],
  [
    Fsctl.OFFLOAD_WRITE,
    { name: "OFFLOAD_WRITE", target: "file", copy: "odx", access: Access.WRITE_DATA, handle: offloadWrite },
  ],
  [
    Fsctl.GET_INTEGRITY_INFORMATION,
    {
      name: "GET_INTEGRITY_INFORMATION",
      target: "file",
      copy: "clone",
      minimumOutput: 16,
      handle: getIntegrityInformation,
    },
  ],
  [
    Fsctl.SET_INTEGRITY_INFORMATION,
    {
      name: "SET_INTEGRITY_INFORMATION",
      target: "file",
      copy: "clone",
      minimumInput: 8,
      access: Access.READ_DATA | Access.WRITE_DATA,
      handle: setIntegrityInformation,
    },
  ],
  [
    Fsctl.SET_INTEGRITY_INFORMATION_EX,
    {
      name: "SET_INTEGRITY_INFORMATION_EX",
      target: "file",
      copy: "clone",
      minimumInput: 16,
      anyAccess: WRITE_OR_APPEND | Access.WRITE_ATTRIBUTES,
      handle: setIntegrityInformationEx,
    },
  ],
  [Fsctl.QUERY_FILE_REGIONS, { name: "QUERY_FILE_REGIONS", target: "file", handle: queryFileRegions }],
  [Fsctl.CREATE_OR_GET_OBJECT_ID, { name: "CREATE_OR_GET_OBJECT_ID", target: "file", handle: getObjectId }],
  [Fsctl.GET_COMPRESSION, { name: "GET_COMPRESSION", target: "file", handle: getCompression }],
  [
    Fsctl.SET_COMPRESSION,
    { name: "SET_COMPRESSION", target: "file", access: Access.WRITE_DATA, handle: setCompression },
  ],
  [Fsctl.GET_OBJECT_ID, { name: "GET_OBJECT_ID", target: "file", handle: getObjectId }],
  [
    Fsctl.SRV_ENUMERATE_SNAPSHOTS,
    { name: "SRV_ENUMERATE_SNAPSHOTS", target: "file", anyAccess: Access.READ_DATA, handle: enumerateSnapshots },
  ],
]);
