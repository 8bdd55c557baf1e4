// SPDX-License-Identifier: Apache-2.0
/** All suites, cheapest first. */
import type { Suite } from "./lib/report.ts";
import { nmapSuite } from "./nmap/suite.ts";
import { rcloneSuite } from "./rclone/suite.ts";
import { smbclientSuite } from "./smbclient/suite.ts";
import { smbtortureSuite } from "./smbtorture/suite.ts";

export const suites: readonly Suite[] = [nmapSuite, smbclientSuite, rcloneSuite, smbtortureSuite];
