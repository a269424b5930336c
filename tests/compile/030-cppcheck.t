#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# cppcheck finds nothing but what cppcheck.suppress explains.
. tests/compile/lib.sh

# It cannot see into libraries: what jansson's loops are has to be said.
succeeds 'cppcheck finds nothing' cppcheck --quiet --std=c11 --enable=warning,portability --library=posix \
	--error-exitcode=1 --suppressions-list=tests/compile/cppcheck.suppress -j "$(nproc)" -I. -D_GNU_SOURCE -D__GNUC__ \
	'-Djson_object_foreach(object,key,value)=while(json_next(object,&key,&value))' \
	'-Djson_array_foreach(array,index,value)=while(json_next(array,&index,&value))' \
	-DSWAPCAL_VERSION='"x"' -DSWAPCAL_DATADIR='"x"' harness calibrate guest
done_testing
