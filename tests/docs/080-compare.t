#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# swapcal compare, from file to verdict: the example that is published, exit statuses, odd sizes, and much data. What is
# refused with which message is a unit test (pairs.c), and so are the statistics.
. tests/lib.sh

# figures FILE EXPRESSION: prints what a Python expression over the JSON o says
figures() {
	python3 -c 'import json, sys
o = json.load(open(sys.argv[1]))
print(eval(sys.argv[2]))' "$1" "$2"
}

# near KEY WANT TOLERANCE: of the last JSON; KEY is Python over o
near() {
	is "$(figures "$dir/json" "abs($1 - ($2)) <= $3")" True "$1 is $2"
}

# status ARGUMENT...: the exit status of swapcal compare; output in out, json or err
status() {
	./swapcal compare "$@" > "$dir/out" 2> "$dir/err"
	echo $?
}

# The published figures are Wright - mini; here y - z is mini - Wright: signs are reversed.
is "$(status examples/pefr.csv --format json)" 4 'examples/pefr.csv is not validated'
cp "$dir/out" "$dir/json"
is "$(figures "$dir/json" 'list(o)[:2]')" "['tool_version', 'schema_version']" 'JSON begins with the versions'
is "$(figures "$dir/json" '(o["n"], o["clusters"], o["margin_pct"], o["verdict"])')" "(17, 17, 5.0, 'rejected')" \
	'17 pairs, rejected'
near 'o["bias"]' 2.117647 5e-7
near 'o["bias_ci"][0]' -17.8135 5e-5
near 'o["bias_ci"][1]' 22.0488 5e-5
near 'o["sd"]' 38.765130 5e-7
# By 1.96; the quantile itself, 1.95996, makes 0.0014 of a difference.
near 'o["loa"][0]' -73.8620 0.002
near 'o["loa"][1]' 78.0973 0.002
near 'o["slope_deming"]' 0.970881 5e-7
near 'o["intercept_deming"]' 15.231556 5e-7
near 'o["slope_pb"]' 1.064815 5e-7
near 'o["slope_pb_ci"][0]' 0.837079 5e-7
near 'o["slope_pb_ci"][1]' 1.396825 5e-7
near 'o["intercept_pb"]' -24.305556 5e-7
near 'o["intercept_pb_ci"][0]' -178.0317 5e-5
near 'o["intercept_pb_ci"][1]' 82.9382 5e-5
near 'o["ccc"]' 0.942742 5e-7
near 'o["ccc_ci"][0]' 0.850492 5e-7
near 'o["ccc_ci"][1]' 0.978726 5e-7
# Published: mean -2.1, SD 38.8, limits of agreement 2 SD away.
near '-o["bias"]' -2.1 0.05
near '-o["bias"] - 2 * round(o["sd"], 1)' -79.7 0.05
near '-o["bias"] + 2 * round(o["sd"], 1)' 75.5 0.05

is "$(status examples/pefr.csv)" 4 'as text too'
is "$(cat "$dir/err")" "swapcal: agreement within 5 % is rejected" 'standard error says why the status is 4'
for part in 'bias  *2\.11765  \[-17\.8135, 22\.0488\]' 'lower limit of agreement  *-73\.86' \
	'upper limit of agreement  *78\.09' 'Passing-Bablok slope  *1\.06481  \[0\.837079, 1\.39683\]' \
	"Lin's concordance (CCC)  *0\.942742  \[0\.850492, 0\.978726\]" 'note: Passing-Bablok looked at all slopes$'; do
	grep -q "$part" "$dir/out"
	ok $? "$part"
done
case $(tail -n 1 "$dir/out") in rejected:*) true ;; *) false ;; esac
ok $? 'the last line is the verdict'
is "$(awk 'length > 100' "$dir/out")" '' 'no line is longer than 100 columns'

awk 'BEGIN { print "z,y"; for (i = 1; i <= 40; i++) print 100 * i "," 100 * i * (1 + (i % 5 - 2) / 1000) }' > "$dir/good.csv"
is "$(status "$dir/good.csv")" 0 'what agrees has status 0'
is "$(tail -n 1 "$dir/out")" 'validated: 95 % of differences lie within 5 % of z (at 95 % confidence)' 'and is validated'
is "$(cat "$dir/err")" '' 'in silence'
is "$(status "$dir/good.csv" --margin 0.1%)" 4 'but not within a smaller margin'
is "$(status - < "$dir/good.csv")" 0 'standard input'
grep -q '^standard input: 40 pairs' "$dir/out"
ok $? 'by its name'
awk '{ print $0 "," (NR > 1 ? NR % 10 : "cell") }' "$dir/good.csv" > "$dir/cells.csv"
status "$dir/cells.csv" --format json > /dev/null
is "$(figures "$dir/out" '(o["n"], o["clusters"])')" '(40, 10)' 'replicates are one cell'
sed '1s/cell/cluster/' "$dir/cells.csv" > "$dir/clusters.csv"
status "$dir/clusters.csv" --z-error 1 --format json > /dev/null
is "$(figures "$dir/out" '(o["n"], o["clusters"])')" '(40, 10)' 'or one cluster'
printf 'z,y\n100,101\n200,190\n300,310\n400,395\n' > "$dir/few.csv"
is "$(status "$dir/few.csv"):$(tail -n 1 "$dir/out" | cut -d: -f1)" 4:undecided 'four pairs decide nothing'
tail -n 1 "$dir/out" | grep -q '[0-9]* pairs like these would decide, in four of five such samples$'
ok $? 'and how many would is told'

printf 'z,y\n1,2\n3,"4,5"\n' > "$dir/comma.csv"
is "$(status "$dir/comma.csv"):$(cat "$dir/err")" \
	"2:swapcal: $dir/comma.csv:3: y: '4,5' is no number; the decimal sign is a point, as in 1.5" \
	'what is wrong in the file has status 2, and is told with its line'
is "$(cat "$dir/out")" '' 'and nothing on standard output'
is "$(status "$dir/none.csv")" 2 'no such file'
is "$(status "$dir")" 2 'a directory'
is "$(status ./swapcal)" 2 'a program'
is "$(status)" 2 'no file'
is "$(status examples/pefr.csv examples/pefr.csv)" 2 'two files'
is "$(status examples/pefr.csv --margin 0)" 2 'no margin'
is "$(status examples/pefr.csv --margin 51%)" 2 'a margin that is too large'
is "$(status examples/pefr.csv --format csv)" 2 'a format that there is not'
./swapcal compare "$dir/good.csv" > /dev/full 2> "$dir/err"
is "$?:$(cat "$dir/err")" '1:swapcal: cannot write the output' 'output that cannot be written is a failure'

# The same pairs in any unit are the same agreement.
for unit in 1e-5 1e12; do
	awk -F, -v u=$unit '/^[0-9]/ { $0 = sprintf("%.17g,%.17g", $1 * u, $2 * u) } !/^#/' examples/pefr.csv > "$dir/unit.csv"
	is "$(status "$dir/unit.csv" --format json)" 4 "pairs times $unit"
	is "$(figures "$dir/out" "(abs(o['bias'] / (2.117647 * $unit) - 1) < 1e-6 and
		abs(o['slope_pb'] - 1.064815) < 1e-6 and abs(o['slope_deming'] - 0.970881) < 1e-6 and
		abs(o['ccc'] - 0.942742) < 1e-6 and o['verdict'])")" rejected 'have the same slopes'
done

# Many points, on no grid: minutes, were all slopes looked at.
awk 'BEGIN { srand(1); print "z,y,cell"; for (i = 0; i < 50000; i++) {
	z = 10 + 990 * rand(); print z "," z * (1.01 + 0.01 * (rand() - 0.5)) ",c" i } }' > "$dir/many.csv"
is "$(timeout $hangs_s ./swapcal compare "$dir/many.csv" --format json > "$dir/json"; echo $?)" 0 '50,000 pairs in 50,000 cells'
is "$(figures "$dir/json" '(o["clusters"], o["pb_method"])')" "(50000, 'ranks by counting')" 'are compared by counting'
near 'o["slope_pb"]' 1.01 0.001
near 'o["bias_pct"]' 1 0.01
done_testing
