#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Plugs cameras and keys into a computer whose user has a container, and says what the container sees:
# RESULT name=value, a line each.
machine=intune-u1001
runtime=/run/snow-control/intune/u1001
unit=systemd-nspawn@$machine.service

result() { echo "RESULT $1=$2"; }

# Waits until a command succeeds.
await() {
    local limit=$((SECONDS + 60))
    until "$@"; do
        [ "$SECONDS" -lt "$limit" ] || return 1
        sleep 0.1
    done
}

has() { [ "$(stat -c %u "$runtime/dev/$1" 2>/dev/null)" = "$((UID_BASE + 1001))" ]; }
lacks() { [ ! -e "$runtime/dev/$1" ]; }
closed() { ! systemctl show -p DeviceAllow "$unit" | grep -q "/dev/char/$1:"; }
nodes() { (cd $runtime/dev && find . -type c ! -path './dri/*' -printf '%P\n' | sort | tr '\n' ' '); }
inside() { systemd-run --machine=$machine --property=User=alice --wait --pipe --quiet -- sh -c "$1" 2>&1 | tail -1; }
start() { node /lab/machine.cjs '{"verb":"start","uid":1001}'; }

UID_BASE=$((0x40000000 + 1001 * 65536))
cp -a /lab/usr/. /usr/
mkdir -p /var/lib/snow-control/intune/u1001
sed "s/4711/$(stat -c %i /var/lib/machines/$machine)/" /lab/container.json >/var/lib/snow-control/intune/u1001/container.json
systemctl daemon-reload
udevadm control --reload
# As slow as it is.
mkdir -p /etc/systemd/system/$unit.d
printf '[Service]\nTimeoutStartSec=600\n' >/etc/systemd/system/$unit.d/99-lab.conf
systemd-run -q --collect -p PAMName=login -p User=alice -E XDG_SEAT=seat0 -E XDG_VTNR=1 -E XDG_SESSION_TYPE=wayland \
    -E XDG_SESSION_CLASS=user sleep infinity
await grep -qs ACTIVE_UID=1001 /run/systemd/seats/seat0
result session "$?"

# Without a container: nothing is started.
modprobe vivid n_devs=1 node_types=0x1
await test -e /run/udev/data/c81:0
udevadm settle
device=$(udevadm info -q property /dev/video0 | sed -n 's/^SYSTEMD_WANTS=//p')
result idle-unit "${device%:*}"
result idle-condition "$(systemctl show -P ConditionResult "$device")"
result idle-process "$(systemctl show -P ExecMainPID "$device")"
result idle-run "$(udevadm test /sys/class/video4linux/video0 2>&1 | grep -c "RUN{program}")"

# A camera that is there when the container starts.
start
await has video0
result camera-at-start "$?"
result camera-owner "$(inside 'stat -Lc "%U %G %a" /dev/video0')"
result camera-works "$(inside 'dd if=/dev/video0 of=/dev/null bs=4096 count=1 2>/dev/null && echo works')"
result camera-other "$(systemd-run --machine=$machine -p User=nobody --wait --pipe -q -- sh -c '</dev/video0' 2>&1 | grep -o 'Permission denied')"
# What refuses it without a node of its own is the policy of the control group.
mknod -m 0600 $runtime/dev/probe c 81 0
chown $((UID_BASE + 1001)) $runtime/dev/probe
await rmmod vivid
await lacks video0
result camera-gone "$?"
await closed 81
result camera-closed "$?"
result camera-refused "$(inside '</run/host-dev/probe' | grep -o 'not permitted')"
rm $runtime/dev/probe

# A FIDO key, which is no USB device.
modprobe uhid
mkfifo /run/key
perl /lab/key.pl </run/key &
exec 5>/run/key
await has hidraw0
result key "$?"
result key-works "$(inside "perl -e 'open(F, \"+<\", \"/dev/hidraw0\") or die \$!; syswrite F, \"\\0\" . \"y\" x 64; sysread F, \$b, 64; print \"said \", length \$b, substr(\$b, 0, 1)'")"
exec 5>&-
await lacks hidraw0
result key-gone "$?"
result key-after "$(inside '</dev/hidraw0' | grep -o 'No such file')"

# A YubiKey at a USB port, which is of another number when it is plugged in again.
modprobe dummy_hcd
modprobe libcomposite
mount -t configfs configfs /sys/kernel/config 2>/dev/null
gadget=/sys/kernel/config/usb_gadget/key
mkdir $gadget
cd $gadget || exit 1
echo 0x1050 >idVendor
echo 0x0407 >idProduct
mkdir strings/0x409 configs/c.1 functions/hid.0
echo Yubico >strings/0x409/manufacturer
echo 'YubiKey OTP+FIDO+CCID' >strings/0x409/product
echo 0 >functions/hid.0/protocol
echo 0 >functions/hid.0/subclass
echo 64 >functions/hid.0/report_length
printf '\x06\xd0\xf1\x09\x01\xa1\x01\x09\x20\x15\x00\x26\xff\x00\x75\x08\x95\x40\x81\x02\x09\x21\x15\x00\x26\xff\x00\x75\x08\x95\x40\x91\x02\xc0' >functions/hid.0/report_desc
ln -s functions/hid.0 configs/c.1/
cd /
# By the numbers that the key has now, and no others.
plugged() {
    local port
    port=$(dirname "$(ls /sys/bus/usb/devices/[0-9]*-[0-9]*/idVendor 2>/dev/null)") &&
        [ "$(nodes)" = "$(printf 'bus/usb/%03d/%03d hidraw0 ' "$(cat "$port/busnum")" "$(cat "$port/devnum")")" ]
}
ls /sys/class/udc | head -1 >$gadget/UDC
await plugged
first=$(nodes)
result usb "$first"
result usb-works "$(inside "(</dev/${first%% *}) && (</dev/hidraw0) && stat -Lc '%U %a' /dev/${first%% *}")"
echo >$gadget/UDC
await lacks hidraw0
await lacks "${first%% *}"
result usb-gone "$(nodes)"
ls /sys/class/udc | head -1 >$gadget/UDC
await plugged
second=$(nodes)
[ "$first" != "$second" ]
result usb-another-number "$?"
result usb-again "$(inside "(</dev/${second%% *}) && echo works")"

# Restart with it, and what is unplugged while it starts.
node /lab/machine.cjs '{"verb":"stop","uid":1001}'
modprobe vivid n_devs=1 node_types=0x1
await test -e /run/udev/data/c81:0
start &
await grep -q . /run/systemd/nspawn/$machine.nspawn
await rmmod vivid
wait $!
await plugged
result restart "$(inside "(</dev/${second%% *}) && echo works")"
await lacks video0
result unplugged-meanwhile "$?"

# Away and back, as fast as it can be.
for round in 1 2 3; do
    echo >$gadget/UDC
    ls /sys/class/udc | head -1 >$gadget/UDC
done
await plugged
last=$(nodes)
result usb-three-times "$(inside "(</dev/${last%% *}) && echo works")"

# Another maker's key, before and after the administrator lists it.
echo >$gadget/UDC
await lacks hidraw0
echo 0x20a0 >$gadget/idVendor
echo 0x4287 >$gadget/idProduct
ls /sys/class/udc | head -1 >$gadget/UDC
await test -e /sys/class/hidraw/hidraw0
udevadm settle
result unlisted "$(nodes)"
echo >$gadget/UDC
await test ! -e /sys/class/hidraw/hidraw0
mkdir -p /etc/snow-control/devices
touch /etc/snow-control/devices/20a0:4287
ls /sys/class/udc | head -1 >$gadget/UDC
await plugged
last=$(nodes)
result listed "$(inside "(</dev/${last%% *}) && (</dev/hidraw0) && echo works")"

echo >$gadget/UDC
await lacks hidraw0

# Sleep: the mouse stays, the tablet is unplugged meanwhile, and a keyboard is plugged in; see computer.ts.
touch /etc/snow-control/devices/0627:0001
modprobe vivid n_devs=1 node_types=0x1
modprobe xhci_pci
modprobe usbhid
# The node of what is plugged in under this name.
node_of() {
    local port
    port=$(grep -lsx "QEMU USB $1" /sys/bus/usb/devices/*/product) && port=${port%/*} &&
        printf 'bus/usb/%03d/%03d' "$(cat "$port/busnum")" "$(cat "$port/devnum")"
}
has_node_of() { has "$(node_of "$1")"; }
unit_of() { udevadm info -q property "$1" | sed -n 's/^SYSTEMD_WANTS=//p'; }
has_ended() { [ "$(systemctl show -P ActiveState "$1")" = inactive ]; }
# By each run of a unit: the ones of devices, and the container's own.
runs() {
    local device
    for device in "/dev/$mouse" /dev/video0; do
        systemctl show -P InvocationID "$(unit_of "$device")"
    done
    systemctl show -P InvocationID $unit
}
await has_node_of Mouse
await has_node_of Tablet
await has hidraw1
await has video0
udevadm settle
mouse=$(node_of Mouse)
tablet=$(node_of Tablet)
tablet_unit=$(unit_of "/dev/$tablet")
before=$(runs)
systemctl start systemd-suspend.service
result slept "$? $(journalctl -b -k -o cat --no-pager | grep -c 'PM: suspend exit')"
await has_node_of Keyboard
await lacks "$tablet"
result sleep-new "$(inside "(</dev/$(node_of Keyboard)) && echo works")"
result sleep-gone "$(inside "</dev/$tablet" | grep -o 'No such file')"
await has_ended "$tablet_unit"
result sleep-gone-unit "$?"
[ "$(node_of Mouse)" = "$mouse" ] && [ "$(runs)" = "$before" ]
result sleep-same "$?"
result sleep-works "$(inside "(</dev/$mouse) && dd if=/dev/video0 of=/dev/null bs=4096 count=1 2>/dev/null && echo works")"
rmmod xhci_pci xhci_hcd
await lacks "$mouse"
await rmmod vivid
await lacks video0
result sleep-after "$(nodes)"

# A reader of smart cards (CCID): the computer's pcscd has it, and asks polkit who asks for it.
touch /etc/snow-control/devices/08e6:4433
readers() { grep -o 'Gemalto\|No reader'; }
seen_inside() { inside 'pcsc_scan -r' | readers; }
is_seen() { [ "$(seen_inside)" = "$1" ]; }
await is_seen 'No reader'
modprobe xhci_pci
await is_seen Gemalto
result reader "$(seen_inside)"
result reader-outside "$(pcsc_scan -r | readers)"
result reader-node "$(inside "stat -Lc '%U %a' /dev/$(node_of CCID)")"
rmmod xhci_pci xhci_hcd
await is_seen 'No reader'
result reader-gone "$(seen_inside)"

# As an administrator has it who leaves the reader to the container's own pcscd.
mkdir -p /run/udev/rules.d
echo 'SUBSYSTEM=="usb", ATTR{idVendor}=="08e6", ENV{PCSCLITE_IGNORE}="1"' >/run/udev/rules.d/99-lab.rules
udevadm control --reload
printf '[Intune]\nSmartCards=no\n' >/etc/snow-control/intune.conf
node /lab/machine.cjs '{"verb":"stop","uid":1001}'
start
modprobe xhci_pci
await has_node_of CCID
udevadm settle
result reader-left "$(pcsc_scan -r | readers)"
systemd-run --machine=$machine --quiet --collect pcscd --foreground --disable-polkit
await is_seen Gemalto
result reader-own "$(seen_inside)"
rmmod xhci_pci xhci_hcd

# Ten at once, and away at once.
modprobe vivid n_devs=10 node_types=0x1,0x1,0x1,0x1,0x1,0x1,0x1,0x1,0x1,0x1
for number in 0 1 2 3 4 5 6 7 8 9; do
    await has video$number
    await has media$number
done
result burst "$(nodes)"
result burst-opened "$(inside 'for n in 0 1 2 3 4 5 6 7 8 9; do (</dev/video$n) && printf %s $n; done; echo')"
await rmmod vivid
await lacks video0
for number in 0 1 2 3 4 5 6 7 8 9; do
    await lacks video$number
    await lacks media$number
done
await closed 81
result burst-gone "$(nodes)"

result failed "$(systemctl --failed --no-legend | grep -c snow)"
journalctl -b -u 'snow-intune-*' --no-pager -p warning | tail -5
result end yes
# The computer ends with it; it cannot power itself off once it has slept.
systemctl reboot --force --force
