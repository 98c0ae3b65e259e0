alter type mood add value 'happy' before 'sad';
