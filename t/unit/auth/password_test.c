/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * password_test.c: what `doveadm pw -p Geheim/9 -s SCHEME` says is matched by that password and by no other;
 * what is no password of a scheme is said when it is read.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "auth/password.h"

#define SALT "C9WOWm.pEzDle6sA$"
/* What has the form of a hash of these. */
#define SHA256 "08/BDIa9LazKtyQywhcX4W0qntL30HBDxe3YBE54TpB"
#define SHA512 SHA256 SHA256

static const struct {
	const char *text;
	bool is_slow;
} of_doveadm[] = {
	{ "{PLAIN}Geheim/9", false },
	{ "{CLEARTEXT}Geheim/9", false },
	{ "{CLEAR}Geheim/9", false },
	{ "{CRYPT}$2y$05$ufXXN9YcE2saI36Xdp9RyONzVg2sPcTL2V9A8rm2yxKrBSSadlCJO", true },
	{ "{SHA512-CRYPT}$6$qBsWiXJnww3zCDbJ$Tu0jhWLgEG8e9o/hcAnK99Sqo5pAfmJQkyf45NTq21bWF5v./R"
	    "HfjX9GUMgWByYNaqqdaGh/1Nfjvz5YKoLjW0", true },
	{ "{SHA256-CRYPT}$5$C9WOWm.pEzDle6sA$08/BDIa9LazKtyQywhcX4W0qntL30HBDxe3YBE54TpB", true },
	{ "{BLF-CRYPT}$2y$05$he0oo3cqgc62Iop3cKG58.apctNI7KXXyp/8kh99jVbHMiGV3j6lq", true },
	{ "{MD5-CRYPT}$1$JLjDA9UZ$MagZBZNsL.dGyS/4tCfZ/.", true },
	{ "{MD5}$1$6oYcA1pY$ahuF77Fqq8fMNN2jpN4Dh1", true },
	{ "{DES-CRYPT}Fyk2hVWgzyIZU", true },
	{ "{SSHA}nSLwJ+5c0qycEsIrDhrgBOi0v29zvJys", false },
	{ "{SSHA256}yaUfgl3hx5xlXZyRrRDvvcRB2zxIQRWn96F1QExMIznWSIHP", false },
	{ "{SSHA512}rjaSUNNibtUltd03SNuukPVnzXLL2pO4wopsiPLbgd+wTgulg/MGTgAEwV/83OyZNKfiwpIkL6m"
	    "H1tMNTy2KerFgfus=", false },
	{ "{SMD5}ZbLG7VszEPVTR1ZosQ2A6BUhy+o=", false },
	{ "{SHA}1tTGBRzLZcsuLTiGFBnTYYsFv/k=", false },
	{ "{SHA1}1tTGBRzLZcsuLTiGFBnTYYsFv/k=", false },
	{ "{SHA256}dQuSKXTy1VA7Rx0ohOypTvqrzLe3NOXiDrVCbfbO0Ps=", false },
	{ "{SHA512}KgB+Asrw5LNvIpxZiSp8t9C6dZL0idedidkBnbo3eHwYHBznYXYbgs236r96HMqtyotFnpSf/LAL"
	    "rsFGd2/uIA==", false },
	{ "{LDAP-MD5}z3h8sv4dSqfMaQ5VO8WBow==", false },
	{ "{PLAIN-MD5}cf787cb2fe1d4aa7cc690e553bc581a3", false },
	{ "{MD5}cf787cb2fe1d4aa7cc690e553bc581a3", false },
	{ "{MD5}z3h8sv4dSqfMaQ5VO8WBow==", false },
	{ "{PLAIN-MD5}z3h8sv4dSqfMaQ5VO8WBow==", false },
	{ "{PLAIN-MD5.B64}z3h8sv4dSqfMaQ5VO8WBow==", false },
	{ "{LDAP-MD5}CF787CB2FE1D4AA7CC690E553BC581A3", false },
	{ "{PBKDF2}$1$twt1Qg2rn6MkEOdV$2000$77AAA2241d95f0ef57761e06a4011e1a96231FD1", true },
	{ "{PBKDF2}$1$twt1Qg2rn6MkEOdV$2000$77aaa2241d95f0ef57761e06a4011e1a96231fd1", true },
	{ "{SCRAM-SHA-1}4096,fVQUVKFCdYoR4rTq7evNbQ==,1kj/fwppMupboUHLKQfqLoJ7csI=,D3QYSVKYyIhU"
	    "vKnkND/XCOEJXPs=", true },
	{ "{SCRAM-SHA-256}4096,TnEcfLWWgunig5EVEDvqNQ==,TbCiCC47F5RL2LCKE0LSasMND1joBvVOuucu7AW"
	    "OgU0=,m6Ku05aJVSGb1wUhHRzUUH7Z5WmqIY1EQCLTUq1SLOE=", true },
	{ "{CRAM-MD5}ef7b9d309a85367f1ef79b4f3b3bfd21074f66626b06ce9577e782bde09d"
	    "1bbe", false },
	{ "{SSHA.HEX}ac0fb1a73b54e177733fb189b1582c99d964a5f4f8b83e51", false },
	{ "{SSHA256.HEX}ea48a473153b1c8b2b0886665cee38857bfeab7ce23c3dcb3c7e6587e051700fb37f950"
	    "1", false },
	{ "{SHA256.HEX}750b922974f2d5503b471d2884eca94efaabccb7b734e5e20eb5426df6ced0fb", false },
	{ "{SHA.B64}1tTGBRzLZcsuLTiGFBnTYYsFv/k=", false },
	{ "{PBKDF2.B64}JDEkWW1wcmYwWTBvZUQ2VXpnVSQ1MDAwJDJkNTU3ZmI2YzIxNmQ0ZjNlOTQ4NDZhZTI0MGQ0"
	    "MjViMDRhNDhjOTg=", true },
	{ "{CRYPT.B64}JDJ5JDA1JDJ4NTFVOWguTndFSmJrbUF1TE9qOGVDby5ENzBXTzJsMUR6RmVlMUs1VE93dUJnN"
	    "ktCcmZl", true },
	{ "{PLAIN.B64}R2VoZWltLzk=", false },
	{ "{PLAIN.HEX}47656865696d2f39", false },
#ifdef HAVE_LIBARGON2
	{ "{ARGON2I}$argon2i$v=19$m=32768,t=4,p=1$eiV00mQPdku19WmwIisV8w$Ey2mjsioWjlE1Xt3JUFG/w"
	    "BQDax7Y+kEATAMfFl0/Hg", true },
	{ "{ARGON2ID}$argon2id$v=19$m=65536,t=3,p=1$C8yxpfPDQprWbaUWzpbGIQ$6IPZns3MV7FyezKMhyhK"
	    "Olw2elImI4/NRR9OhgUwMyI", true },
#endif
	{ "{CRYPT}$y$j75$q2hKzTq1x8m1T0eS5v4kS/$0xjywmY3.sTnjX1vFO8GJhVZvrUaAoZMGO3YoJxNbaC", true },
	{ "$y$j75$q2hKzTq1x8m1T0eS5v4kS/$0xjywmY3.sTnjX1vFO8GJhVZvrUaAoZMGO3YoJxNbaC", true },
};

static void
matches_what_doveadm_makes(void **state)
{
	static const char *const others[] = { "", "Geheim/8", "Geheim/", "Geheim/99", "geheim/9" };

	(void)state;
	for (size_t i = 0; i < sizeof(of_doveadm) / sizeof(of_doveadm[0]); i++) {
		struct password password;
		struct error error = { "" };

		if (!password_read(of_doveadm[i].text, &password, &error))
			fail_msg("%s: %s", of_doveadm[i].text, error.text);
		assert_int_equal(password_is_slow(&password), of_doveadm[i].is_slow);
		if (!password_matches(&password, slice_of("Geheim/9")))
			fail_msg("%s does not match", of_doveadm[i].text);
		/* all of them where it is cheap, one where it is not */
		for (size_t k = of_doveadm[i].is_slow ? 4 : 0; k < sizeof(others) / sizeof(others[0]); k++)
			if (password_matches(&password, slice_of(others[k])))
				fail_msg("%s matches \"%s\"", of_doveadm[i].text, others[k]);
	}
}

static void
the_given_password_ends_where_it_ends(void **state)
{
	struct password password;
	struct error error;

	(void)state;
	assert_true(password_read("{PLAIN}secret", &password, &error));
	assert_true(password_matches(&password, slice_make("secretary", 6)));
	assert_false(password_matches(&password, slice_make("secret\0", 7)));
	assert_true(password_read("{CRYPT}$1$salt$9GHNWvCB1UrDZjPi7uags0", &password, &error));
	assert_true(password_matches(&password, slice_of("x")));
	assert_false(password_matches(&password, slice_make("x\0y", 3)));
	assert_true(password_read("{PLAIN}", &password, &error));
	assert_true(password_matches(&password, slice_make(NULL, 0)));
}

static void
a_locked_password_matches_nothing(void **state)
{
	static const char *const texts[] = { "", "*", "!", "!$6$salt$hash", "{CRYPT}*", "{SHA512-CRYPT}!" };

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct password password;
		struct error error;
		struct buf class = { 0 };

		assert_true(password_read(texts[i], &password, &error));
		assert_null(password.scheme);
		assert_false(password_is_slow(&password));
		assert_false(password_matches(&password, slice_of(texts[i])));
		assert_false(password_matches(&password, slice_of("")));
		password_class(&password, &class);
		assert_int_equal(buf_len(&class), 0);
	}
}

static void
schemes_have_no_case(void **state)
{
	struct password password;
	struct error error;

	(void)state;
	assert_true(password_read("{ssha.hex}a2ce9ae0fecd84dda3ea49edebda63d7618e066a241c5f46", &password,
	    &error));
	assert_true(password_matches(&password, slice_of("Geheim/9")));
	assert_true(password_read("{sha256}750B922974f2d5503b471d2884eca94efaabccb7b734e5e20eb5426df6ced0fb",
	    &password, &error));
	assert_true(password_matches(&password, slice_of("Geheim/9")));
	assert_true(password_read("{Plain.base64}R2VoZWltLzk=", &password, &error));
	assert_true(password_matches(&password, slice_of("Geheim/9")));
}

static void
what_is_no_password_is_told(void **state)
{
	static const struct {
		const char *text, *says;
	} rows[] = {
		{ "{PLAIN", "no } after" },
		{ "{ROT13}frperg", "unknown password scheme {ROT13}" },
		{ "{}x", "unknown password scheme {}" },
		{ "{PLAIN.ROT13}x", "unknown password scheme {PLAIN.ROT13}" },
		{ "{PLAIN.HEX}123", "scheme PLAIN" },
		{ "{PLAIN.HEX}1g", "scheme PLAIN" },
		{ "{PLAIN.B64}a", "scheme PLAIN" },
		{ "{SSHA}c2hvcnQ=", "scheme SSHA" },
		{ "{SHA}FWJ0qnDR/C2XqdIf3knxWHfx3aV8A3ri", "scheme SHA" },
		{ "{SHA256}not base64", "scheme SHA256" },
		{ "{CRYPT}$99$x", "scheme CRYPT" },
		{ "plain text", "scheme CRYPT" },
		{ "secret", "scheme CRYPT" },
		{ "{CRYPT}$6$salt$tooshort", "scheme CRYPT" },
		{ "{CRYPT}$6$" SALT SHA256, "scheme CRYPT" },
		{ "{CRYPT}$5$" SALT SHA512, "scheme CRYPT" },
		{ "{CRYPT}$5$" SALT "08/BDIa9LazKtyQywhcX4W0qntL30HBDxe3YBE54T-B", "scheme CRYPT" },
		{ "{SHA256-CRYPT}$5$rounds=999$" SALT SHA256, "scheme SHA256-CRYPT" },
		{ "{SHA256-CRYPT}$5$rounds=1000000000$" SALT SHA256, "scheme SHA256-CRYPT" },
		{ "{SHA512-CRYPT}$6$rounds=05000$" SALT SHA512, "scheme SHA512-CRYPT" },
		{ "{SHA512-CRYPT}$6$rounds=$" SALT SHA512, "scheme SHA512-CRYPT" },
		{ "$y$j75$q2hKzTq1x8m1T0eS5v4kS/$0xjywmY3.sTnjX1vFO8GJh", "scheme CRYPT" },
		{ "$y$j7$" SALT SHA256, "scheme CRYPT" },
		{ "$y$$" SALT SHA256, "scheme CRYPT" },
		{ "{BLF-CRYPT}$2y$05$he0oo3cqgc62Iop3cKG58.apctNI7KXXyp/8kh99jVbHMiGV3j6l", "BLF-CRYPT" },
		{ "{BLF-CRYPT}$2y$03$he0oo3cqgc62Iop3cKG58.apctNI7KXXyp/8kh99jVbHMiGV3j6lq", "BLF-CRYPT" },
		{ "{BLF-CRYPT}$2y$32$he0oo3cqgc62Iop3cKG58.apctNI7KXXyp/8kh99jVbHMiGV3j6lq", "BLF-CRYPT" },
		{ "{BLF-CRYPT}$2y$5$he0oo3cqgc62Iop3cKG58.apctNI7KXXyp/8kh99jVbHMiGV3j6lq", "BLF-CRYPT" },
		{ "{BLF-CRYPT}$2y$05$short", "BLF-CRYPT" },
		{ "{MD5-CRYPT}$1$JLjDA9UZ$MagZBZNsL.dGyS/4tCfZ/", "scheme MD5-CRYPT" },
		{ "{DES-CRYPT}Fyk2hVWgzyIZ-", "scheme DES-CRYPT" },
		{ "{PBKDF2}$2$salt$5000$a8d0ba82ed9655ca153237dec157edb1b48bd6df", "scheme PBKDF2" },
		{ "{PBKDF2}$1$salt$0$a8d0ba82ed9655ca153237dec157edb1b48bd6df", "scheme PBKDF2" },
		{ "{PBKDF2}$1$salt$5000$a8d0", "scheme PBKDF2" },
		{ "{PBKDF2}$1$salt$5000$a8d0ba82ed9655ca153237dec157edb1b48bd6dg", "scheme PBKDF2" },
		{ "{PBKDF2}", "scheme PBKDF2" },
		{ "{MD5}z3h8sv4dSqfMaQ5VO8WBow", "scheme MD5" },
		{ "{PLAIN-MD5.HEX}z3h8sv4dSqfMaQ5VO8WBow==", "scheme PLAIN-MD5" },
		{ "{SHA256.B64}750b922974f2d5503b471d2884eca94efaabccb7b734e5e20eb5426df6ced0fb",
		    "scheme SHA256" },
		{ "{SCRAM-SHA-256}4096,xTwFVRkGLfafymJB7xwnkQ==,c2hvcnQ=,c2hvcnQ=", "scheme SCRAM-SHA-256" },
		{ "{SCRAM-SHA-256}4096", "scheme SCRAM-SHA-256" },
		{ "{CRAM-MD5}cd3ba7deaad6e5ca23448ba42e379747", "scheme CRAM-MD5" },
		{ "{ARGON2ID}$argon2i$v=19$m=32768,t=4,p=1$C8yxpfPDQprW$6IPZns3M", "ARGON2ID" },
		{ "{ARGON2ID}$argon2id$v=19$m=32768,t=4,p=1$eA$6IPZns3M", "ARGON2ID" },
		{ "{ARGON2ID}$argon2id$v=19$m=32768,t=4,p=1$C8yxpfPDQprW$eA", "ARGON2ID" },
		{ "{ARGON2ID}$argon2id$v=19$m=32768,t=4,p=1$C8yxpfPDQprW", "ARGON2ID" },
		{ "{ARGON2ID}$argon2id$v=18$m=32768,t=4,p=1$C8yxpfPDQprW$6IPZns3M", "ARGON2ID" },
		{ "{ARGON2ID}$argon2id$v=19$m=7,t=4,p=1$C8yxpfPDQprW$6IPZns3M", "ARGON2ID" },
		{ "{ARGON2ID}$argon2id$v=19$m=32768,t=0,p=1$C8yxpfPDQprW$6IPZns3M", "ARGON2ID" },
		{ "{ARGON2ID}$argon2id$v=19$m=32768,t=4$C8yxpfPDQprW$6IPZns3M", "ARGON2ID" },
		{ "{ARGON2ID}$argon2id$v=19$m=32768,t=4,p=1,x=1$C8yxpfPDQprW$6IPZns3M", "ARGON2ID" },
		{ "{ARGON2I}$argon2i$v=19$m=32768,t=4,p=1$C8yxpfPDQprW$6IPZns=M", "ARGON2I" },
		{ "{ARGON2I}garbage", "ARGON2I" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct password password;
		struct error error = { "" };

		assert_false(password_read(rows[i].text, &password, &error));
		if (strstr(error.text, rows[i].says) == NULL)
			fail_msg("%s: \"%s\" does not say \"%s\"", rows[i].text, error.text, rows[i].says);
	}
}

static void
classes_are_what_costs_the_same(void **state)
{
	static const char *const rows[][2] = {
		{ "{PLAIN}x$y$z", "fast" },
		{ "{SSHA}nSLwJ+5c0qycEsIrDhrgBOi0v29zvJys", "fast" },
		{ "$6$" SALT SHA512, "CRYPT $6$" },
		{ "{SHA512-CRYPT}$6$" SALT SHA512, "CRYPT $6$" },
		{ "{CRYPT}$6$rounds=5000$" SALT SHA512, "CRYPT $6$rounds=5000$" },
		{ "{SHA256-CRYPT}$5$rounds=99999$" SALT SHA256, "CRYPT $5$rounds=99999$" },
		{ "{CRYPT}$y$j75$" SALT SHA256, "CRYPT $y$j75$" },
		{ "{CRYPT}$gy$j9T$" SALT SHA256, "CRYPT $gy$j9T$" },
		{ "{CRYPT}$7$CU..../....abcdefg$WY04Ck79ZFmo8s4N2Ss2FnBs8ZZS6uX.ir7dSt2/A16",
		    "CRYPT $7$CU..../...." },
		{ "{CRYPT}$sha1$40$abcdefgh$ebdWxOkLAxa/ZFAcV9NeVYDG8uji", "CRYPT $sha1$40$" },
		{ "{CRYPT}$md5,rounds=10$abc$$g.PCQN3780H680LJ7/2YU.", "CRYPT $md5,rounds=10$" },
		{ "{MD5-CRYPT}$1$JLjDA9UZ$MagZBZNsL.dGyS/4tCfZ/.", "CRYPT $1$" },
		{ "{CRYPT}_J9..abcd5WNy9VUCfAY", "CRYPT _J9.." },
		{ "{DES-CRYPT}Fyk2hVWgzyIZU", "CRYPT " },
		{ "{BLF-CRYPT}$2y$05$cet7eTOGqEvekwmU/R2pxOQ1rfFL2aFdafag6Ao.3uCYKkiwKNQPW",
		    "CRYPT $2y$05$" },
		{ "{CRYPT.B64}JDJ5JDA1JDJ4NTFVOWguTndFSmJrbUF1TE9qOGVDby5ENzBXTzJsMUR6RmVlMUs1VE93dUJnN"
		  "ktCcmZl", "CRYPT $2y$05$" },
		{ "{PBKDF2}$1$twt1Qg2rn6MkEOdV$2000$77aaa2241d95f0ef57761e06a4011e1a96231fd1",
		    "PBKDF2 2000" },
		{ "{SCRAM-SHA-1}4096,fVQUVKFCdYoR4rTq7evNbQ==,1kj/fwppMupboUHLKQfqLoJ7csI=,D3QYSVKYyIhU"
		  "vKnkND/XCOEJXPs=", "SCRAM-SHA-1 4096" },
#ifdef HAVE_LIBARGON2
		{ "{ARGON2ID}$argon2id$v=19$m=65536,t=3,p=1$C8yxpfPDQprWbaUWzpbGIQ$6IPZns3MV7FyezKMhyhK"
		  "Olw2elImI4/NRR9OhgUwMyI", "ARGON2ID $argon2id$v=19$m=65536,t=3,p=1$" },
		{ "{ARGON2I}$argon2i$m=32768,t=4,p=1$eiV00mQPdku19WmwIisV8w$Ey2mjsioWjlE1Xt3JUFG/w"
		  "BQDax7Y+kEATAMfFl0/Hg", "ARGON2I $argon2i$m=32768,t=4,p=1$" },
#endif
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct password password;
		struct error error;
		struct buf class = { 0 };

		if (!password_read(rows[i][0], &password, &error))
			fail_msg("%s: %s", rows[i][0], error.text);
		password_class(&password, &class);
		if (!slice_equals(buf_slice(&class), rows[i][1]))
			fail_msg("%s is of class %.*s", rows[i][0], SLICE_ARGS(buf_slice(&class)));
		buf_clear(&class);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(matches_what_doveadm_makes),
		cmocka_unit_test(the_given_password_ends_where_it_ends),
		cmocka_unit_test(a_locked_password_matches_nothing),
		cmocka_unit_test(schemes_have_no_case),
		cmocka_unit_test(what_is_no_password_is_told),
		cmocka_unit_test(classes_are_what_costs_the_same),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
