"""From a sweep file to the list of trials and the keys of their stages. No torch, no Ray."""
