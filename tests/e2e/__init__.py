"""The example project, started as `make demo` starts it, and walked through as the tutorial does.

Nothing here imports Django or the package: what is tested is what a client sees on the wire.

    obtain, protected call, refresh, log out     test_commands   curl and HTTPie, three servers
    the token, a token of old, tampering         test_token      by hand, standard library only
    after five minutes, after a day, lifetimes,
    why refresh                                  test_lifetimes
    the web interface, front ends, the admin     test_browser    Chromium
    the demo page                                test_demo_page  the same, and test_demo_page_look
    what `make demo` prints                      test_demo       pasted into a shell
"""
