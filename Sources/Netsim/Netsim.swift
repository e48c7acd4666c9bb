// Netsim
