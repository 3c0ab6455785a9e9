"""Who asks and who pays: keys, and the accounts behind them."""
