/**
 * A certificate for tests of TLS.
 *
 * @since 0.1.0
 */

/**
 * A self-signed certificate for `localhost`, good for tests only: its key is public. It ends in a hundred years.
 *
 * @category fixtures
 * @since 0.1.0
 */
export const certificate: string = `-----BEGIN CERTIFICATE-----
MIIBlDCCATugAwIBAgIUfPZU8BKjGPtu40uuxgiX2oy3yAkwCgYIKoZIzj0EAwIw
FDESMBAGA1UEAwwJbG9jYWxob3N0MCAXDTI2MTEyMjA2MzczNFoYDzIxMjYxMDI5
MDYzNzM0WjAUMRIwEAYDVQQDDAlsb2NhbGhvc3QwWTATBgcqhkjOPQIBBggqhkjO
PQMBBwNCAAQJiKaaiSoRe/2zWP/K+ADYjX+D3QDNPXqcdEOGsRv1rNGq4eKOmkk9
QQQFIydUN/m1cL6NVFMz4xoasteM54X/o2kwZzAdBgNVHQ4EFgQUe9i+G4SIvY7w
1l0F7c/cRVSQZxowHwYDVR0jBBgwFoAUe9i+G4SIvY7w1l0F7c/cRVSQZxowDwYD
VR0TAQH/BAUwAwEB/zAUBgNVHREEDTALgglsb2NhbGhvc3QwCgYIKoZIzj0EAwID
RwAwRAIgdzQtbcG7Eo4v4VGOZ4rui4fSYISHr8v0yi6kdRomip0CIAqFf3K+Po28
GC3sMXRc03O6T+aatw5eLe8OMHWZOIZc
-----END CERTIFICATE-----
`

/**
 * The key of `certificate`.
 *
 * @category fixtures
 * @since 0.1.0
 */
export const key: string = `-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgjRv4QIFgLvUuqMUs
xmPAzZaFnTBiVJR7XrlRBGn/MsuhRANCAAQJiKaaiSoRe/2zWP/K+ADYjX+D3QDN
PXqcdEOGsRv1rNGq4eKOmkk9QQQFIydUN/m1cL6NVFMz4xoasteM54X/
-----END PRIVATE KEY-----
`
