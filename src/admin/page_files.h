/* SPDX-License-Identifier: BSD-2-Clause */
/* page_files.h: the live page's files, which lie in the program: page.html, page.css, page.js, icon.svg. */
#ifndef ADMIN_PAGE_FILES_H
#define ADMIN_PAGE_FILES_H

#include "base/slice.h"

struct slice page_file(const char *name);	/* empty where there is none such */

#endif
