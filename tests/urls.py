"""URL patterns of the test project: the tutorial's routes and its protected view."""

from django.contrib import admin
from django.urls import include, path
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView


class HelloView(APIView):
    """The tutorial's view, which greets an authenticated user."""

    permission_classes = (IsAuthenticated,)

    def get(self, request: Request) -> Response:
        return Response({"message": "Hello, World!"})


urlpatterns = [
    path("admin/", admin.site.urls),
    path("api/token/", include("drf_signet.urls")),
    path("auth/", include("drf_signet.urls_browser")),
    path(".well-known/", include("drf_signet.urls_wellknown")),
    path("hello/", HelloView.as_view(), name="hello"),
]
