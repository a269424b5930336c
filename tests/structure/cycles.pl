#!/usr/bin/perl
# SPDX-License-Identifier: GPL-3.0-or-later
# Finds files that need one another in a circle: A calls what B defines, and B, perhaps by way of others, what A defines.
# Arguments are object files. What counts is what the linker sees; calls through a pointer are not seen.
use strict;
use warnings;

@ARGV or die "usage: cycles.pl FILE.o...\n";

my (%defined_in, %needs);
open my $nm, '-|', 'nm', '-A', @ARGV or die "nm: $!\n";
while (<$nm>) {
	my ($file, $type, $name) = /^(.*):[0-9a-f ]* ([A-Za-z]) (\S+)$/ or next;
	if ($type eq 'U') {
		$needs{$file}{$name} = 1;
	} elsif ($type =~ /[A-TV-Z]/) {
		$defined_in{$name} = $file;
	}
}
close $nm or die "nm cannot read them all\n";

my (%calls, $arrows);
for my $file (keys %needs) {
	for my $name (keys %{ $needs{$file} }) {
		my $other = $defined_in{$name};
		$calls{$file}{$other} //= $name if defined $other && $other ne $file;
	}
	$arrows += keys %{ $calls{$file} // {} };
}
$arrows or die "none of these files needs another\n";

# Tarjan's strongly connected components.
my (%index, %low, %on_stack, @stack, @circles);
my $next = 0;

sub visit {
	my ($file) = @_;
	$index{$file} = $low{$file} = $next++;
	push @stack, $file;
	$on_stack{$file} = 1;
	for my $other (sort keys %{ $calls{$file} // {} }) {
		visit($other) unless defined $index{$other};
		$low{$file} = $low{$other} if $on_stack{$other} && $low{$other} < $low{$file};
	}
	return if $low{$file} != $index{$file};
	my @circle;
	do {
		push @circle, pop @stack;
		delete $on_stack{ $circle[-1] };
	} until $circle[-1] eq $file;
	push @circles, [sort @circle] if @circle > 1;
}

no warnings 'recursion';
defined $index{$_} or visit($_) for sort @ARGV;

printf "check-cycles: %d files, %d arrows between them, %d circles\n", scalar @ARGV, $arrows, scalar @circles;
for my $circle (@circles) {
	print "a circle of ", scalar @$circle, " files:\n";
	for my $file (@$circle) {
		for my $other (grep { $calls{$file}{$_} } @$circle) {
			print "  $file needs $calls{$file}{$other}() of $other\n";
		}
	}
}
exit(@circles ? 1 : 0);
