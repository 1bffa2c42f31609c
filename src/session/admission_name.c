/* SPDX-License-Identifier: BSD-2-Clause */
/* admission_name.c: subject, block, the client's length and octets, and then the user. */
#include "session/admission_name.h"

#include <string.h>

#include "base/hash.h"

uint64_t
admission_block(const struct limits *limits)
{
	return hash_bytes(limits->conf.title, strlen(limits->conf.title), 0);
}

struct slice
admission_name_write(const struct admission_key *key, char name[ADMISSION_NAME_MAX])
{
	uint8_t len = key->subject == ADMISSION_USER ? 0 : key->client.len;
	char *out = name;

	*out++ = (char)key->subject;
	memcpy(out, &key->block, sizeof(key->block));
	out += sizeof(key->block);
	*out++ = (char)len;
	memcpy(out, key->client.bytes, len);
	return slice_make(name, (size_t)(out - name) + len);
}

bool
admission_name_read(struct slice name, struct admission_key *key)
{
	const size_t head = 1 + sizeof(key->block) + 1;

	*key = (struct admission_key){ 0 };
	if (name.len < head)
		return false;
	key->subject = (enum admission_subject)name.data[0];
	memcpy(&key->block, name.data + 1, sizeof(key->block));
	key->client.len = (uint8_t)name.data[head - 1];
	if (key->client.len > LIMITS_CLIENT_MAX || name.len < head + key->client.len)
		return false;
	memcpy(key->client.bytes, name.data + head, key->client.len);
	key->user = slice_from(name, head + key->client.len);
	return true;
}
