// SPDX-License-Identifier: GPL-2.0-or-later
import type {BuildOptions} from 'esbuild';

export function programOptions(version: string): BuildOptions;
