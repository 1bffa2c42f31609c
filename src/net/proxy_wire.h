/* SPDX-License-Identifier: BSD-2-Clause */
/* proxy_wire.h: the numbers of PROXY headers, for those who write and read them: see proxy-protocol.txt. */
#ifndef NET_PROXY_WIRE_H
#define NET_PROXY_WIRE_H

#define PROXY_SIGNATURE "\r\n\r\n\0\r\nQUIT\n"		/* of version 2 */

enum {
	PROXY_COMMAND_AT = sizeof(PROXY_SIGNATURE) - 1,
	PROXY_FAMILY_AT,
	PROXY_LENGTH_AT,		/* two octets: how many follow them */
	PROXY_FIXED_SIZE = PROXY_LENGTH_AT + 2
};

/* The version, too. */
enum proxy_command { PROXY_COMMAND_LOCAL = 0x20, PROXY_COMMAND_PROXY = 0x21 };

enum proxy_family {
	PROXY_FAMILY_NONE = 0x00,
	PROXY_FAMILY_TCP4 = 0x11,
	PROXY_FAMILY_TCP6 = 0x21,
	PROXY_FAMILY_UNIX = 0x31
};

enum proxy_tlv {
	PROXY_TLV_ALPN = 0x01,
	PROXY_TLV_AUTHORITY = 0x02,
	PROXY_TLV_CRC32C = 0x03,
	PROXY_TLV_UNIQUE_ID = 0x05,
	PROXY_TLV_SSL = 0x20,
	PROXY_TLV_SSL_VERSION = 0x21,	/* these within PROXY_TLV_SSL */
	PROXY_TLV_SSL_CN = 0x22,
	PROXY_TLV_SSL_CIPHER = 0x23
};

enum {
	PROXY_CLIENT_SSL = 0x01,	/* of the SSL TLV's first octet: the client speaks TLS, */
	PROXY_CLIENT_CERT_CONN = 0x02,	/* showed a certificate on this connection, */
	PROXY_CLIENT_CERT_SESS = 0x04,	/* or on one of the same TLS session */
	PROXY_SSL_FIXED_SIZE = 5,	/* that octet, and four about the client's certificate */
	PROXY_CRC_SIZE = 4
};

#endif
