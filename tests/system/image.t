#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# The guest image: built once, what the manifest says of its files is true, an interrupted build leaves nothing.
. tests/system/lib.sh
build_image
cache=${XDG_CACHE_HOME:-$HOME/.cache}/swapcal

"$swapcal" image build bookworm > "$dir/again" 2>&1
is $? 0 'a second build succeeds'
has "$dir/again" 'up to date' 'and says that it had nothing to do'

"$swapcal" image list > "$dir/list"
has "$dir/list" '^bookworm +[0-9a-f]{12} +6\.' 'list names it with key and kernel'
image=$(sed -n "s/.*up to date: \(.*\) (.*/\1/p" "$dir/again")
perl -MJSON::PP -e '
	my $m = decode_json(join "", <STDIN>);
	print "$m->{files}{$_}{sha256}  $_\n" for sort keys %{$m->{files}};' < "$image/manifest.json" > "$dir/sums"
within "$(wc -l < "$dir/sums")" 5 100 'the manifest lists files'
(cd "$image" && sha256sum --quiet -c "$dir/sums") > "$dir/sums.out" 2>&1
is $? 0 'each with its checksum'
for i in python3 pypy3; do
	has "$image/manifest.json" "\"/usr/bin/$i\"" "$i is inside"
done

# The verdict on KVM goes along, only to save the time of finding it again.
mkdir -p "$dir/cache/swapcal"
cp "$cache/accel.json" "$dir/cache/swapcal/" 2> /dev/null
XDG_CACHE_HOME=$dir/cache "$swapcal" image build bookworm > "$dir/stopped" 2>&1 &
pid=$!
until grep -q '1/' "$dir/stopped" || ! kill -0 $pid 2> /dev/null; do sleep 0.2; done
sleep 3
kill -TERM $pid
wait $pid
is $? 130 'SIGTERM ends a build'
is "$(find "$dir/cache/swapcal/images" -mindepth 1 -maxdepth 1 -type d | wc -l)" 0 'and nothing half made is left'
is "$(pgrep -fc "mmdebstrap.*$dir")" 0 'nor a process'
XDG_CACHE_HOME=$dir/cache "$swapcal" image show bookworm > "$dir/show" 2>&1
is $? 1 'there is no image then'
done_testing
