/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * What goes to guests, inside the host program: the programs, and how interpreters are started. AGENT,
 * BALLAST, KNOWN and INTERPRETERS are quoted paths, given by the Makefile.
 */

	.section .rodata

	.macro embed name, path
	.global swapcal_\name
	.type swapcal_\name, @object
	.balign 16
swapcal_\name:
	.incbin "\path"
swapcal_\name\()_end:
	.size swapcal_\name, . - swapcal_\name

	.global swapcal_\name\()_len
	.type swapcal_\name\()_len, @object
	.size swapcal_\name\()_len, 8
	.balign 8
swapcal_\name\()_len:
	.quad swapcal_\name\()_end - swapcal_\name
	.endm

	embed agent, AGENT
	embed ballast, BALLAST
	embed known, KNOWN
	embed interpreters, INTERPRETERS

	.section .note.GNU-stack, "", @progbits
