// SPDX-License-Identifier: Apache-2.0
/** All suites, cheapest first. */
import { arrayGuestSuite } from "./array-guest/suite.ts";
import { arrayLibiscsiSuite } from "./array-libiscsi/suite.ts";
import { arrayShareSuite } from "./array-share/suite.ts";
import { fioSuite } from "./fio/suite.ts";
import { fuzzSuite } from "./fuzz/suite.ts";
import { initiatorSuite } from "./initiator/suite.ts";
import { kernelClientSuite } from "./kernel-client/suite.ts";
import type { Suite } from "./lib/report.ts";
import { lioSuite } from "./lio/suite.ts";
import { nmapSuite } from "./nmap/suite.ts";
import { rcloneSuite } from "./rclone/suite.ts";
import { resumeSuite } from "./resume/suite.ts";
import { smbclientSuite } from "./smbclient/suite.ts";
import { smbtortureSuite } from "./smbtorture/suite.ts";
import { storageSuite } from "./storage/suite.ts";
import { tsharkSuite } from "./tshark/suite.ts";

export const suites: readonly Suite[] = [
  nmapSuite,
  initiatorSuite,
  smbclientSuite,
  rcloneSuite,
  tsharkSuite,
  fuzzSuite,
  storageSuite,
  arrayLibiscsiSuite,
  arrayShareSuite,
  arrayGuestSuite,
  lioSuite,
  resumeSuite,
  fioSuite,
  kernelClientSuite,
  smbtortureSuite,
];
