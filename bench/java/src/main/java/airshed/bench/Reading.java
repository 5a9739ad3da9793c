package airshed.bench;

/** A reading, as the topic holds it. */
record Reading(
        String station,
        String pollutant,
        double value,
        String unit,
        String time,
        int period,
        String status,
        String source) {}
