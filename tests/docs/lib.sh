# SPDX-License-Identifier: GPL-3.0-or-later
# For documentation tests: what POD pages and C sources list, one word a line.
. tests/lib.sh

# pod_section PAGE HEADING: the lines of a =head1 or =head2 section, up to the next heading of its level or above
pod_section() {
	perl -ne '
		BEGIN { $want = shift @ARGV }
		if (my ($level, $title) = /^=head([12]) (.*)/) {
			$on = $title =~ /^$want$/ ? $level : $on && $level > $on ? $on : 0;
			next;
		}
		print if $on' "$2" "docs/$1"
}

# pod_items PAGE HEADING: the words of its =item lines, without markup: "B<-o>, B<--output> I<FILE>" is -o and --output
pod_items() {
	pod_section "$1" "$2" | perl -ne '
		next unless s/^=item //;
		s/I<[^>]*>//g;
		s/B<([^>]*)>/$1/g;
		print "$_\n" for grep { length } map { s/^\s+|\s+$//gr } split /,/'
}

# pod_bold PAGE HEADING: what stands in B<> in a section
pod_bold() {
	pod_section "$1" "$2" | grep -o 'B<[^>]*>' | sed 's/^B<//; s/>$//'
}

# quoted PATTERN FILE...: every "string" in what the Perl pattern, over the whole file, finds
quoted() {
	pattern=$1
	shift
	perl -0777 -ne '
		BEGIN { $pattern = shift @ARGV }
		while (/$pattern/sg) { my $part = $&; print "$1\n" while $part =~ /"([^"]*)"/g }' "$pattern" "$@"
}

# preprocessed FILE: a C source without comments and macros
preprocessed() {
	"${CC:-gcc}" -E -P -I. -D_GNU_SOURCE -DSWAPCAL_VERSION='""' -DSWAPCAL_DATADIR='""' "$1"
}
