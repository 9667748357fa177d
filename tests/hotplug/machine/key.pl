# SPDX-License-Identifier: GPL-2.0-or-later
# A security key that the kernel takes for a YubiKey 5, by /dev/uhid. It says back what it is told, until its
# standard input ends.
use strict;
use Fcntl;
use constant {DESTROY => 1, OUTPUT => 6, CREATE2 => 11, INPUT2 => 12};

sysopen(my $hid, '/dev/uhid', O_RDWR) or die "/dev/uhid: $!";
# FIDO: a report of 64 bytes either way.
my $descriptor = pack 'H*', '06d0f1' . '0901' . 'a101' . '0920' . '1500' . '26ff00' . '7508' . '9540' . '8102'
    . '0921' . '1500' . '26ff00' . '7508' . '9540' . '9102' . 'c0';
syswrite($hid, pack 'L a128 a64 a64 S S L L L L a4096', CREATE2, 'Yubico YubiKey OTP+FIDO+CCID', '', '',
    length $descriptor, 3, 0x1050, 0x0407, 0, 0, $descriptor) or die "create: $!";
while (1) {
    my $set = '';
    vec($set, fileno($hid), 1) = 1;
    vec($set, fileno(STDIN), 1) = 1;
    select($set, undef, undef, undef);
    last if vec($set, fileno(STDIN), 1);
    next unless vec($set, fileno($hid), 1);
    sysread($hid, my $event, 8192) or last;
    my ($type) = unpack 'L', $event;
    next if $type != OUTPUT;
    # The first byte is the report's number.
    my $data = substr $event, 5, 64;
    syswrite($hid, pack 'L S a4096', INPUT2, 64, $data);
}
syswrite($hid, pack 'L a4376', DESTROY, '');
