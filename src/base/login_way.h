/* SPDX-License-Identifier: BSD-2-Clause */
/* login_way.h: how gatepost logs a user in at a server, and how it tells the server who the client is. */
#ifndef BASE_LOGIN_WAY_H
#define BASE_LOGIN_WAY_H

enum login_way {
	LOGIN_PASSWORD,		/* with the client's own credentials */
	LOGIN_MASTER,		/* with a master user's, and the user as authorization identity */
	LOGIN_TRUSTED,		/* as the user, with a password that servers take from trusted peers only */
	LOGIN_XCLIENT,		/* by the name alone, with XCLIENT LOGIN= */
	LOGIN_NONE		/* not at all */
};

enum forward_way {
	FORWARD_AUTO,		/* what the server announces */
	FORWARD_ID,		/* by the protocol's command for it, announced or not */
	FORWARD_XCLIENT,	/* by XCLIENT, announced or not */
	FORWARD_PROXY,		/* by a PROXY header, version 1 or 2, before the server's first word */
	FORWARD_PROXY_V2,
	FORWARD_NONE
};

#endif
