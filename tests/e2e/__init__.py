"""End-to-end tests of the example project.

The tests start the example in a separate process, send requests over HTTP, and check the responses.

    test_commands    login, protected requests, refresh and logout, with curl and HTTPie
    test_alias       the steps of the tutorial, also with simplejwt's import paths
    test_token       token format, signatures, tampered tokens and legacy tokens
    test_lifetimes   expiry of access tokens and refresh tokens
    test_pages       the endpoints for browsers, with curl
    test_workers     server processes that share a database
    test_browser     the browsable API, the admin and a front end on another origin, in Chromium
    test_browser_*   the JavaScript client
    test_demo        the command `make demo`
    test_demo_page*  the demo page, in Chromium
"""
