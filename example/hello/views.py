"""The protected view."""

from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView


class HelloView(APIView):
    """Greets whoever sends a valid access token."""

    permission_classes = (IsAuthenticated,)

    def get(self, request: Request) -> Response:
        content = {"message": "Hello, World!"}
        return Response(content)
