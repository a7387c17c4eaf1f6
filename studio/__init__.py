"""The desktop program: Qt widgets that show a session and change a session."""
