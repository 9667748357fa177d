// SPDX-License-Identifier: GPL-2.0-or-later

/** An error that has a name on the bus. */
export class BusError extends Error {
    readonly errorName: string;

    constructor(errorName: string, message: string, options?: ErrorOptions) {
        super(message, options);
        this.name = 'BusError';
        this.errorName = errorName;
    }
}
