"""URL patterns for all simplejwt endpoints, a protected view and a stateless view."""

from django.urls import path
from rest_framework.permissions import IsAuthenticated
from rest_framework.response import Response
from rest_framework.views import APIView
from rest_framework_simplejwt import views as jwt_views
from rest_framework_simplejwt.authentication import JWTStatelessUserAuthentication


class HelloView(APIView):
    permission_classes = (IsAuthenticated,)

    def get(self, request):
        return Response({"message": "Hello, World!"})


class StatelessView(HelloView):
    authentication_classes = (JWTStatelessUserAuthentication,)

    def get(self, request):
        user = request.user
        return Response({"class": type(user).__name__, "id": user.id, "name": user.username})


urlpatterns = [
    path("api/token/", jwt_views.TokenObtainPairView.as_view(), name="token_obtain_pair"),
    path("api/token/refresh/", jwt_views.TokenRefreshView.as_view(), name="token_refresh"),
    path("api/token/verify/", jwt_views.TokenVerifyView.as_view(), name="token_verify"),
    path("api/token/blacklist/", jwt_views.TokenBlacklistView.as_view(), name="token_blacklist"),
    path("api/sliding/", jwt_views.token_obtain_sliding),
    path("api/sliding/refresh/", jwt_views.token_refresh_sliding),
    path("hello/", HelloView.as_view()),
    path("stateless/", StatelessView.as_view()),
]
