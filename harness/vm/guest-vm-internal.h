/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef SWAPCAL_GUEST_VM_INTERNAL_H
#define SWAPCAL_GUEST_VM_INTERNAL_H

#include "harness/vm/channel.h"
#include "harness/vm/guest-vm.h"

/*
 * Shared by guest-vm.c (real guests) and guest-vm-state.c (those that go on from a saved boot), and by
 * nothing else.
 */

struct guest_vm_host {
	struct domain_conn *conn;
	char *kernel, *initrd, *root_disk, *user_disk;
	char *content; /* all that guests of this host are made of, as text */
};

struct guest {
	struct domain *domain;
	struct channel *channel;
	char *swap_disk, *scratch_disk; /* scratch_disk: NULL when there is none */
};

/**
 * Starts a guest: boots it, or has it go on from the state in saved_dir, when that is not NULL. Only one
 * guest at a time may do the latter.
 */
struct err *guest_vm_launch(struct guest_vm_host *host, const struct guest_config *config,
			    const char *saved_dir, struct guest **ret) must_check;

void guest_vm_stop(struct guest *g);
DEFINE_CLEANUP(cleanup_guest, struct guest *, guest_vm_stop)

/* guest-vm-state.c */

/** Sets host->content. */
struct err *guest_vm_describe(struct guest_vm_host *host, const struct image *image,
			      const char *user_disk) must_check;

/** Starts a guest from the saved boot of its configuration, which is made when there is none. */
struct err *guest_vm_start_saved(struct guest_vm_host *host, const struct guest_config *config,
				 struct guest **ret) must_check;

/** The file of a state with the guest's memory; to be freed. */
char *guest_vm_memory_path(const char *dir);

/** Makes the scratch disk at path what it was when the state was saved. */
struct err *guest_vm_get_scratch(const char *dir, const char *path) must_check;

#endif
