"""Programs and a catalogue to lineage. Parses nothing."""
