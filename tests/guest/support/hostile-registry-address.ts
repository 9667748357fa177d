// SPDX-License-Identifier: GPL-2.0-or-later
/** Where the hostile registry is in the guest. */
export const HOSTILE = '127.0.0.1:5001';
