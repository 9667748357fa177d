// SPDX-License-Identifier: GPL-2.0-or-later
import {bootcDriver} from './bootc/driver.ts';
import type {ImageDriver} from './driver.ts';
import {nativeDriver} from './native/driver.ts';
import {nbcDriver} from './nbc/driver.ts';

/** The most particular first: a machine of one may well have the programs of another. */
export const drivers: readonly ImageDriver[] = [nativeDriver, nbcDriver, bootcDriver];
