#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# On a machine that has nothing yet, `make deps` installs what deps.list names: by root as it is, else with sudo.
. tests/lib.sh

mkdir "$dir/bin"
printf '#!/bin/sh\nexit 1\n' > "$dir/bin/dpkg-query"
# Words before a command are set for it by env, as sudo does; and the command must be there.
printf '#!/bin/sh\nexec "$@"\n' > "$dir/bin/sudo"
printf '#!/bin/sh\necho "$DEBIAN_FRONTEND $*" >> "%s/log"\n' "$dir" > "$dir/bin/apt"
chmod +x "$dir/bin/"*

for sudo in '' sudo; do
	rm -f "$dir/log"
	PATH="$dir/bin:$PATH" make --no-print-directory deps APT_GET="$dir/bin/apt" SUDO="$sudo" > "$dir/out" 2>&1
	is $? 0 "make deps succeeds (SUDO='$sudo')"
	sed -n 's/.* install -y --no-install-recommends //p' "$dir/log" | tr ' ' '\n' | sort > "$dir/asked"
	grep -Ev '^(#|$)' deps.list | cut -d' ' -f1 | sort > "$dir/wanted"
	is "$(cat "$dir/asked")" "$(cat "$dir/wanted")" 'and installs every package of deps.list'
	is "$(sed -n 's/ .*install.*//p' "$dir/log")" noninteractive 'without asking questions'
done
done_testing
