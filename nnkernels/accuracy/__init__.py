"""The accuracy benchmark: how accurate the network gets under the accurate recipes, and which digits it gets wrong."""
