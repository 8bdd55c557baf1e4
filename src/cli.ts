#!/usr/bin/env node
// SPDX-License-Identifier: Apache-2.0

import { runCommandLine } from "./server/cli/program.ts";

process.exitCode = await runCommandLine(process.argv.slice(2));
