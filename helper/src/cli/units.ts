// SPDX-License-Identifier: GPL-2.0-or-later

const byteUnits = ['bytes', 'kB', 'MB', 'GB', 'TB'] as const;

/** 95000000 as `95.0 MB`: powers of 1000, as the desktop shows sizes. */
export function byteText(bytes: number): string {
    let value = bytes;
    let unit = 0;
    // 999 950 would be rounded to 1000.0.
    while (value >= 999.95 && unit < byteUnits.length - 1) {
        value /= 1000;
        unit++;
    }
    if (unit === 0) return value === 1 ? '1 byte' : `${Math.round(value)} bytes`;
    return `${value.toFixed(1)} ${byteUnits[unit]}`;
}

/** `43.1 of 95.0 MB`, or with both units where they differ. */
export function byteProgressText(done: number, total: number): string {
    const whole = byteText(total);
    const part = byteText(done);
    const unit = whole.slice(whole.lastIndexOf(' '));
    return part.endsWith(unit)
        ? `${part.slice(0, -unit.length)} of ${whole}`
        : `${part} of ${whole}`;
}

/** Seconds as `0:42`, `12:03` or `1:02:03`. */
export function durationText(seconds: number): string {
    const whole = Math.max(0, Math.round(seconds));
    const hours = Math.floor(whole / 3600);
    const minutes = Math.floor(whole / 60) % 60;
    const rest = twoDigits(whole % 60);
    return hours ? `${hours}:${twoDigits(minutes)}:${rest}` : `${minutes}:${rest}`;
}

/** Seconds since 1970 as local date and time, in the order of ISO 8601; 0 is never. */
export function timeText(seconds: number): string {
    if (seconds <= 0) return 'never';
    const date = new Date(seconds * 1000);
    const day = [
        date.getFullYear(),
        twoDigits(date.getMonth() + 1),
        twoDigits(date.getDate()),
    ].join('-');
    return `${day} ${twoDigits(date.getHours())}:${twoDigits(date.getMinutes())}`;
}

function twoDigits(value: number): string {
    return String(value).padStart(2, '0');
}
