"""The command line `imagemarket`: uploads, dead letters, take-downs, indexes, accounts."""
