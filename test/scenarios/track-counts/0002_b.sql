select set_config('track_counts', 'off', true);
