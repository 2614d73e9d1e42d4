"""Ready-made instruments, to be passed to `open_system(instruments=[...])`.

    from actors.instruments.prometheus import PrometheusInstrument
    from actors.instruments.slow_turns import SlowTurns

`PrometheusInstrument` exports metrics of every actor: its mailbox, how long it takes to handle
messages, and their outcomes. It needs `prometheus_client`, so import it from its own module.

`SlowTurns` logs a warning for each turn that blocked all other tasks for too long.

To write one of your own, see `actors.Instrument`. Nothing in the toolkit imports this package.
"""
