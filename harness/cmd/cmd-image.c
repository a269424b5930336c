/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness/vm/accel.h"
#include "harness/base/alloc.h"
#include "harness/base/log.h"
#include "harness/cmd/cli.h"
#include "harness/cmd/cmd.h"
#include "harness/base/datadir.h"
#include "harness/image/image.h"

/* Of the objects printed with --format json. */
#define IMAGE_SCHEMA_VERSION 1

static const char help[] =
	"usage: swapcal image build NAME|FILE.yaml... [--force]\n"
	"       swapcal image list [--format text|json]\n"
	"       swapcal image show NAME [--format text|json]\n"
	"       swapcal image rm NAME...\n"
	"\n"
	"Guest images: a kernel, its modules and a read-only root disk with the\n"
	"interpreters, kept in the user's cache.\n"
	"\n"
	"  build   make the image of a recipe, vm-images/NAME.yaml or a file of your own;\n"
	"          does nothing when neither recipe nor workloads changed since\n"
	"  list    the images there are, newest first\n"
	"  show    what is in an image: kernel, modules, interpreters, files\n"
	"  rm      remove the images of that name\n"
	"\n"
	"Options:\n"
	"      --force        build: make it again\n"
	"      --format FMT   list, show: text (the default) or json\n"
	"  -h, --help         show this text\n"
	"\n"
	"Example:\n"
	"  swapcal image build bookworm\n"
	"  swapcal image show bookworm\n"
	"\n"
	"Exit status: 0 ok, 1 failed, 2 wrong recipe or usage, 3 something is missing on this host,\n"
	"130 interrupted.\n";

struct options {
	bool force;
	enum cli_format format;
	const char *verb;
	const char *name; /**< the one at hand */
	char **names;     /**< all that were given */
	int names_n;
};

/** Without KVM the appliance is only slower, so a failure to try it is no error here. */
static bool kvm_works(void)
{
	bool works;
	struct err *e = accel_kvm_works(&works);

	if (!e)
		return works;
	log_note("without KVM, since it cannot be tried: %s", err_message(e));
	err_free(e);
	return false;
}

static struct err *find_recipe(const char *name, char **ret)
{
	size_t len = strlen(name);

	if (len > 5 && strcmp(name + len - 5, ".yaml") == 0) {
		*ret = xstrdup(name);
		return NULL;
	}
	if (strchr(name, '/') || name[0] == '.')
		return err_new_kind(ERR_USAGE, "'%s' is neither the name of a recipe nor a .yaml file", name);

	cleanup_free char *relative = xasprintf("vm-images/%s.yaml", name);

	return err_set_kind(err_wrap(datadir_find(relative, ret), "there is no recipe '%s'", name),
			    ERR_USAGE);
}

static json_int_t image_bytes(const struct image *image)
{
	const char *name;
	json_t *file;
	json_int_t sum = 0;

	json_object_foreach(json_object_get(image->manifest, "files"), name, file)
	{
		sum += json_integer_value(json_object_get(file, "bytes"));
	}
	return sum;
}

static struct err *build(const struct options *o)
{
	cleanup_free char *path = NULL, *workloads = NULL;
	cleanup(cleanup_recipe_) struct image_recipe *recipe = NULL;
	cleanup(cleanup_image_) struct image *image = NULL;
	bool was_cached;
	struct err *e = find_recipe(o->name, &path);

	if (!e)
		e = image_recipe_load(path, &recipe);
	if (!e)
		e = datadir_find("guest/workloads", &workloads);
	if (e)
		return e;

	struct image_build_options options = {
		.workload_dir = workloads,
		.force = o->force,
		.kvm_works = kvm_works,
	};

	e = image_build(recipe, &options, &image, &was_cached);
	if (e)
		return e;
	printf("image '%s' %s: %s (%.0f MB)\n", recipe->name, was_cached ? "is up to date" : "is built",
	       image->dir, (double)image_bytes(image) / 1e6);
	return NULL;
}

static const char *manifest_str(const struct image *image, const char *key)
{
	const char *s = json_string_value(json_object_get(image->manifest, key));

	return s ? s : "?";
}

static json_t *json_head(void)
{
	return json_pack("{s:s, s:i}", "tool_version", SWAPCAL_VERSION, "schema_version",
			 IMAGE_SCHEMA_VERSION);
}

static void print_list_json(struct image **images, size_t n)
{
	json_t *head = json_head(), *list = json_array();

	for (size_t i = 0; i < n; i++)
		json_array_append_new(list,
				      json_pack("{s:s, s:s, s:s, s:I, s:s, s:s}", "name",
						manifest_str(images[i], "name"), "key", images[i]->key,
						"kernel", image_kernel_release(images[i]), "bytes",
						image_bytes(images[i]), "built_at",
						manifest_str(images[i], "built_at"), "dir", images[i]->dir));
	json_object_set_new(head, "images", list);
	cli_print_json(head);
}

static void print_list_text(struct image **images, size_t n)
{
	if (!n) {
		log_note("no images yet: run 'swapcal image build bookworm'");
		return;
	}
	printf("%-16s %-12s %-24s %8s  %s\n", "NAME", "KEY", "KERNEL", "SIZE", "BUILT");
	for (size_t i = 0; i < n; i++)
		printf("%-16s %.12s %-24s %5.0f MB  %s\n", manifest_str(images[i], "name"), images[i]->key,
		       image_kernel_release(images[i]), (double)image_bytes(images[i]) / 1e6,
		       manifest_str(images[i], "built_at"));
}

static struct err *list(const struct options *o)
{
	struct image **images;
	size_t n;
	struct err *e = image_list(&images, &n);

	if (e)
		return e;
	(o->format == CLI_JSON ? print_list_json : print_list_text)(images, n);
	for (size_t i = 0; i < n; i++)
		image_destroy(images[i]);
	free(images);
	return NULL;
}

static void print_interpreters(const struct image *image)
{
	const char *name;
	json_t *value;

	printf("interpreters\n");
	json_object_foreach(json_object_get(image->manifest, "interpreters"), name, value)
		printf("  %-14s %s (%s)\n", name, json_string_value(json_object_get(value, "path")),
		       json_string_value(json_object_get(value, "version")));
}

static void print_kernel(const struct image *image)
{
	const char *name;
	json_t *value;
	size_t i;

	printf("kernel           %s\n", image_kernel_release(image));
	json_object_foreach(json_object_get(json_object_get(image->manifest, "kernel"), "config"), name,
			    value)
		printf("  %-36s %s\n", name,
		       json_is_null(value) ? "(unknown to this kernel)" : json_string_value(value));
	printf("modules         ");
	json_array_foreach(json_object_get(image->manifest, "modules"), i, value)
		printf(" %s", json_string_value(value));
	putchar('\n');
}

static void print_files(const struct image *image)
{
	const char *name;
	json_t *value;

	printf("files            %s/\n", image->dir);
	json_object_foreach(json_object_get(image->manifest, "files"), name, value)
		printf("  %-36s %11lld  %s\n", name, json_integer_value(json_object_get(value, "bytes")),
		       json_string_value(json_object_get(value, "sha256")));
}

static void print_text(const struct image *image)
{
	json_t *tools = json_object_get(image->manifest, "tools");

	printf("name             %s\n", manifest_str(image, "name"));
	printf("key              %s\n", image->key);
	printf("suite            %s, %zu packages\n", manifest_str(image, "suite"),
	       json_object_size(json_object_get(image->manifest, "packages")));
	printf("built            %s, mmdebstrap %s, libguestfs %s\n", manifest_str(image, "built_at"),
	       json_string_value(json_object_get(tools, "mmdebstrap")),
	       json_string_value(json_object_get(tools, "libguestfs")));
	print_interpreters(image);
	print_kernel(image);
	print_files(image);
}

static struct err *show(const struct options *o)
{
	cleanup(cleanup_image_) struct image *image = NULL;
	struct err *e = image_find(o->name, &image);

	if (e)
		return e;
	if (o->format == CLI_JSON) {
		json_t *object = json_head();

		json_object_set_new(object, "dir", json_string(image->dir));
		json_object_update(object, image->manifest);
		cli_print_json(object);
	} else {
		print_text(image);
	}
	return NULL;
}

static struct err *rm(const struct options *o)
{
	return image_remove(o->name);
}

static const struct verb {
	const char *name;
	struct err *(*run)(const struct options *o);
	bool needs_name;
	bool takes_names; /**< several, one after the other */
	bool has_force;
	bool has_format;
} verbs[] = {
	{ "build", build, .needs_name = true, .takes_names = true, .has_force = true },
	{ "list", list, .has_format = true },
	{ "show", show, .needs_name = true, .has_format = true },
	{ "rm", rm, .needs_name = true, .takes_names = true },
};

static struct err *check_options(const struct verb *verb, const struct options *o)
{
	if (verb->needs_name && !o->names_n)
		return err_new_kind(ERR_USAGE,
				    "image %s: which image? Say its name, as in 'swapcal image %s bookworm'",
				    verb->name, verb->name);
	if (!verb->needs_name && o->names_n)
		return err_new_kind(ERR_USAGE, "image %s: takes no name, but got '%s'", verb->name,
				    o->names[0]);
	if (!verb->takes_names && o->names_n > 1)
		return err_new_kind(ERR_USAGE, "'%s': one argument too many", o->names[1]);
	if (o->force && !verb->has_force)
		return err_new_kind(ERR_USAGE, "image %s: --force is only for 'build'", verb->name);
	if (o->format == CLI_JSON && !verb->has_format)
		return err_new_kind(ERR_USAGE, "image %s: --format is only for 'list' and 'show'",
				    verb->name);
	return NULL;
}

/** Runs the verb for each name, up to the first that fails; once where it takes none. */
static struct err *run_verb(const struct verb *verb, struct options *o)
{
	struct err *e = check_options(verb, o);

	if (!e && !o->names_n)
		return verb->run(o);
	for (int i = 0; !e && i < o->names_n; i++) {
		o->name = o->names[i];
		e = verb->run(o);
	}
	return e;
}

struct err *cmd_image(int argc, char **argv)
{
	struct options o = { .force = false };
	const struct cli_option options[] = {
		{ "force", .flag = &o.force },
		{ "format", .format = &o.format, .choices = "text|json" },
		{ .name = NULL },
	};
	struct err *e = cli_parse(argc, argv, help, options);

	if (e)
		return e;
	if (optind < argc)
		o.verb = argv[optind++];
	o.names = argv + optind;
	o.names_n = argc - optind;
	if (!o.verb)
		return err_new_kind(
			ERR_USAGE,
			"image: say what to do: build, list, show or rm; see 'swapcal image --help'");
	for (size_t i = 0; i < COUNT(verbs); i++)
		if (strcmp(verbs[i].name, o.verb) == 0)
			return run_verb(&verbs[i], &o);
	return err_new_kind(ERR_USAGE, "image: '%s' is not known; use build, list, show or rm", o.verb);
}
